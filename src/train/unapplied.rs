//! Settings of generation_config.json that change the text in transformers and are not applied here.

use serde_json::Value;

use super::session::Session;

/// The fields of generation_config.json that change the text that transformers generates, with the number that changes nothing. None
/// of them is applied.
const UNAPPLIED: [(&str, f64); 19] = [
    ("repetition_penalty", 1.0),
    ("encoder_repetition_penalty", 1.0),
    ("no_repeat_ngram_size", 0.0),
    ("encoder_no_repeat_ngram_size", 0.0),
    ("min_length", 0.0),
    ("min_new_tokens", 0.0),
    ("num_beams", 1.0),
    ("guidance_scale", 1.0),
    ("penalty_alpha", 0.0),
    ("bad_words_ids", f64::NAN),
    ("sequence_bias", f64::NAN),
    ("suppress_tokens", f64::NAN),
    ("begin_suppress_tokens", f64::NAN),
    ("forced_bos_token_id", f64::NAN),
    ("forced_eos_token_id", f64::NAN),
    ("exponential_decay_length_penalty", f64::NAN),
    ("stop_strings", f64::NAN),
    ("token_healing", f64::NAN),
    ("watermarking_config", f64::NAN),
];

/// As [`UNAPPLIED`], for fields that limit the tokens that are drawn. They do not matter if the likeliest token is taken.
const UNAPPLIED_TO_DRAWS: [(&str, f64); 7] = [
    ("top_k", 0.0),
    ("top_p", 1.0),
    ("min_p", 0.0),
    ("top_h", f64::NAN),
    ("typical_p", 1.0),
    ("epsilon_cutoff", 0.0),
    ("eta_cutoff", 0.0),
];

impl Session {
    /// The fields of generation_config.json that would change the text in transformers and are not applied, for a temperature.
    pub fn unapplied(&self, temperature: f32) -> Vec<&'static str> {
        let Some(config) = &self.generation else { return Vec::new() };
        let draws = if temperature > 0.0 { &UNAPPLIED_TO_DRAWS[..] } else { &[] };
        let is_set = |(name, neutral): &&(&'static str, f64)| match config.fields().get(*name) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Array(list)) => !list.is_empty(),
            Some(Value::Object(fields)) => !fields.is_empty(),
            Some(value) => value.as_f64() != Some(*neutral),
        };
        UNAPPLIED.iter().chain(draws).filter(is_set).map(|(name, _)| *name).collect()
    }
}
