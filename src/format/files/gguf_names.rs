//! The names of `.gguf` files. Some are split into parts, in the naming scheme of llama.cpp's `gguf-split` and the `gguf` Python package.

/// Whether a file name or URL path ends in `.gguf`.
pub fn is_gguf(name: &str) -> bool {
    name.get(name.len().saturating_sub(5)..).is_some_and(|end| end.eq_ignore_ascii_case(".gguf"))
}

/// Maximum number of parts of a split file. The names of all parts are requested, so a name must not imply an unlimited number.
const MAX_PARTS: u32 = 1000;

/// One part of a split file: `NAME-00002-of-00003.gguf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The name without the numbers and the extension.
    pub(super) stem: &'a str,
    /// The number of parts.
    pub(super) count: u32,
    /// The extension, `.gguf` in any case.
    ending: &'a str,
}

impl<'a> Part<'a> {
    /// Reads the name of a file; `None` if it is not the name of a part, or of a part of more than [`MAX_PARTS`].
    pub(super) fn of(name: &'a str) -> Option<Part<'a>> {
        let (whole, ending) = name.split_at_checked(name.len().checked_sub(".gguf".len())?)?;
        if !is_gguf(ending) {
            return None;
        }
        let (before, count) = whole.rsplit_once("-of-")?;
        let (stem, number) = before.rsplit_once('-')?;
        let digits = |text: &str| {
            let is_number = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { text.parse().ok() } else { None }
        };
        let (number, count): (u32, u32) = (digits(number)?, digits(count)?);
        let is_part = (1..=count).contains(&number) && count <= MAX_PARTS;
        is_part.then_some(Part { stem, count, ending })
    }

    /// The names of all parts, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = String> + use<'_> {
        (1..=self.count)
            .map(|number| format!("{}-{number:05}-of-{:05}{}", self.stem, self.count, self.ending))
    }
}

/// The names of the files that belong to a `.gguf` file: the file itself, or all parts if it is split.
pub(super) fn with_parts(name: &str) -> Vec<String> {
    Part::of(name).map_or_else(|| vec![name.to_owned()], |part| part.names().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts() {
        let part = Part::of("Q4_K_M/m-of-2-00002-of-00003.GGUF").unwrap();
        assert_eq!((part.stem, part.count), ("Q4_K_M/m-of-2", 3));
        let names: Vec<String> = part.names().collect();
        assert_eq!(names[2], "Q4_K_M/m-of-2-00003-of-00003.GGUF");
        for other in [
            "m.gguf",
            "m-00000-of-00002.gguf",
            "m-00003-of-00002.gguf",
            "m-1-of-2.gguf",
            "m-00001-of-01001.gguf",
            "m-00001-of-+0002.gguf",
            "m-00001-of-00002.bin",
            "é.gguf",
        ] {
            assert_eq!(Part::of(other), None, "{other}");
        }
    }
}
