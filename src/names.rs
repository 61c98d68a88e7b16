//! The names of choices in options: one table for each choice, used by the command line, the package and files.

/// A choice with names. The first name of each value is the one that is written; the others are only accepted when reading.
pub trait Named: Sized + Copy + PartialEq + 'static {
    /// Every value with its names.
    const NAMES: &'static [(Self, &'static [&'static str])];

    /// The name that is written.
    fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(value, _)| *value == self);
        found.and_then(|(_, names)| names.first()).copied().unwrap_or_default()
    }

    /// The value with this name; any of its names is accepted.
    ///
    /// # Errors
    /// A message that lists the preferred names.
    fn named(text: &str) -> Result<Self, String> {
        match Self::NAMES.iter().find(|(_, names)| names.contains(&text)) {
            Some((value, _)) => Ok(*value),
            None => {
                let names: Vec<&str> =
                    Self::NAMES.iter().filter_map(|(_, names)| names.first()).copied().collect();
                Err(format!("expected {}, found {text:?}", names.join(", ")))
            }
        }
    }
}

/// Gives an enum its names, and implements reading and writing it by name: `names!(Color: Red = "red" | "crimson", Blue = "blue")`.
macro_rules! names {
    ($type:ident: $($variant:ident = $name:literal $(| $alias:literal)*),+ $(,)?) => {
        impl $crate::names::Named for $type {
            const NAMES: &'static [(Self, &'static [&'static str])] =
                &[$(($type::$variant, &[$name $(, $alias)*])),+];
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::names::Named::name(*self))
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                <$type as $crate::names::Named>::named(&text).map_err(serde::de::Error::custom)
            }
        }

        #[cfg(not(target_arch = "wasm32"))]
        impl clap::ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$($type::$variant),+]
            }

            fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
                let names = <$type as $crate::names::Named>::NAMES.iter().find(|(value, _)| value == self);
                let (name, aliases) = names?.1.split_first()?;
                Some(clap::builder::PossibleValue::new(*name).aliases(aliases))
            }
        }
    };
}
pub(crate) use names;
