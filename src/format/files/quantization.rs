//! The quantization in the name of a `.gguf` file, which is used to choose one of several files.

use crate::error::{Result, bail};

/// The order in which files are suggested if there are several of them, best first: exact and small ones before those that lose
/// precision.
const SUITED: [&str; 20] = [
    "Q8_0", "F16", "BF16", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "Q5_1", "Q5_0", "Q4_1", "Q4_0",
    "IQ4_NL", "IQ4_XS", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "F32", "FP16",
];

/// The most suitable of several files of the same model.
pub(super) fn suited<'a>(names: &[&'a str]) -> Option<&'a str> {
    let ranked = SUITED.iter().find_map(|wanted| names.iter().find(|name| is_quantized_as(name, wanted)));
    ranked.or(names.first()).copied()
}

/// The `.gguf` file with a quantization such as `Q8_0`, in any case.
///
/// # Errors
/// `invalid-argument` if `place` has no such file, or several.
pub(super) fn of_quantization<'a>(place: &str, names: &[&'a str], quantization: &str) -> Result<&'a str> {
    let found: Vec<&str> = names.iter().filter(|name| is_quantized_as(name, quantization)).copied().collect();
    match found.as_slice() {
        [only] => Ok(only),
        [] if names.is_empty() => {
            bail!(InvalidArgument, "{place}: expected a .gguf file of {quantization}, found no .gguf file")
        }
        [] => {
            bail!(
                InvalidArgument,
                "{place}: expected a .gguf file of {quantization}, found {}",
                names.join(", ")
            )
        }
        several => bail!(
            InvalidArgument,
            "{place}: expected one .gguf file of {quantization}, found {}",
            several.join(", ")
        ),
    }
}

/// Whether a file's name contains the name of a quantization as a separate word.
fn is_quantized_as(name: &str, quantization: &str) -> bool {
    let (name, wanted) = (name.to_ascii_uppercase(), quantization.to_ascii_uppercase());
    let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !wanted.is_empty()
        && name.match_indices(&wanted).any(|(at, _)| {
            let before = name[..at].chars().next_back();
            let after = name[at + wanted.len()..].chars().next();
            !before.is_some_and(|c| c.is_ascii_alphanumeric()) && !after.is_some_and(is_inner)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_suits_is_proposed() {
        for (names, right) in [
            (&["m-IQ3_M.gguf", "m-Q4_K_M.gguf", "m-Q8_0.gguf", "m-f16.gguf"][..], "m-Q8_0.gguf"),
            (&["m.IQ1_S.gguf", "m.f16.gguf", "m.Q4_K_S.gguf"], "m.f16.gguf"),
            (&["m-Q8_0_L.gguf", "m-bf16.gguf"], "m-bf16.gguf"),
            (&["a.gguf", "b.gguf"], "a.gguf"),
        ] {
            assert_eq!(suited(names), Some(right));
        }
        assert_eq!(suited(&[]), None);
    }

    #[test]
    fn a_quantization_names_a_file() {
        let names = ["m-q4_k_m.gguf", "m-Q4_K_S.gguf", "m-Q8_0.gguf", "old_Q8_0.gguf"];
        assert_eq!(of_quantization("m", &names, "Q4_K_M").unwrap(), "m-q4_k_m.gguf");
        assert_eq!(of_quantization("m", &names, "q4_k_s").unwrap(), "m-Q4_K_S.gguf");
        for (wanted, says) in
            [("Q4_K", "found m-q4_k_m"), ("Q8_0", "found m-Q8_0.gguf, old"), ("", "found m-q4")]
        {
            let error = of_quantization("m", &names, wanted).unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
        assert!(of_quantization("m", &[], "Q8_0").unwrap_err().message().contains("no .gguf file"));
    }
}
