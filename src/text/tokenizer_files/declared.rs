//! Declarations in the small files beside a vocabulary: `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`.
//!
//! They are merged as in transformers 5 (`_from_pretrained` in `tokenization_utils_base.py`). If `tokenizer_config.json` has
//! `added_tokens_decoder`, the other two files are ignored. Otherwise `special_tokens_map.json` takes precedence over the
//! configuration, and `added_tokens.json` gives tokens their ids.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use crate::error::{Result, bail, err};
use crate::text::python_json;

/// The files with declarations: the tokenizer's class and settings; the special tokens, in older models; and the ids of tokens
/// outside the vocabulary, in older models.
pub const DECLARATION_FILES: [&str; 3] =
    ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];
const CONFIG_FILE: &str = DECLARATION_FILES[0];
const SPECIAL_FILE: &str = DECLARATION_FILES[1];
const ADDED_FILE: &str = DECLARATION_FILES[2];

/// The roles that a special token can have, in the order in which transformers adds them to a vocabulary.
pub(crate) const ROLES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Maximum number of bytes in an added token.
const MAX_TOKEN_BYTES: usize = 4096;

/// A special token as written in a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Special {
    pub(super) token: AddedToken,
    /// Whether the file has only the spelling, so that the class determines the other properties.
    pub(super) spelling_only: bool,
}

/// The merged declarations.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// `tokenizer_config.json`.
    config: Map<String, Value>,
    /// The special tokens by role. A role that is null in its file has no token, not even the class's default.
    roles: BTreeMap<&'static str, Option<Special>>,
    /// Special tokens without one of these roles.
    others: Vec<AddedToken>,
    /// Tokens with their ids.
    by_id: BTreeMap<u32, AddedToken>,
}

impl Declared {
    /// Reads the files that exist among `files`.
    ///
    /// # Errors
    /// `file-corrupt`, naming the file and the field, if a file does not follow its format.
    pub(super) fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let config = object(files, CONFIG_FILE)?.unwrap_or_default();
        let mut declared = Declared::default();
        let mut fields: Vec<(&str, &String, &Value)> =
            config.iter().map(|(k, v)| (CONFIG_FILE, k, v)).collect();
        let has_ids = config.contains_key("added_tokens_decoder");
        let special = if has_ids { None } else { object(files, SPECIAL_FILE)? }.unwrap_or_default();
        fields.extend(special.iter().map(|(k, v)| (SPECIAL_FILE, k, v)));
        for (file, key, value) in fields {
            declared.read_field(file, key, value)?;
        }
        if let Some(Value::Object(tokens)) = config.get("added_tokens_decoder") {
            for (id, token) in tokens {
                let field = format!("{CONFIG_FILE}: added_tokens_decoder.{id}");
                let id: u32 =
                    id.parse().map_err(|_| err!(FileCorrupt, "{field}: expected a token id as its key"))?;
                declared.by_id.insert(id, parse(&field, token, false)?.token);
            }
        } else if !has_ids && let Some(tokens) = object(files, ADDED_FILE)? {
            for (text, id) in &tokens {
                let field = format!("{ADDED_FILE}: {text:?}");
                let Some(id) = id.as_u64().and_then(|id| u32::try_from(id).ok()) else {
                    bail!(FileCorrupt, "{field}: expected a token id, found {id}");
                };
                let is_special = declared.is_special(text);
                declared.by_id.insert(id, checked(&field, AddedToken::from(text.clone(), is_special))?);
            }
        }
        declared.resolve();
        declared.config = config;
        Ok(declared)
    }

    fn read_field(&mut self, file: &str, key: &str, value: &Value) -> Result<()> {
        let field = format!("{file}: {key}");
        let special = file == SPECIAL_FILE;
        if let Some(role) = ROLES.into_iter().find(|role| *role == key) {
            let token = if value.is_null() { None } else { Some(parse(&field, value, special)?) };
            self.roles.insert(role, token);
        } else if matches!(key, "additional_special_tokens" | "extra_special_tokens") {
            let tokens: Vec<&Value> = match value {
                Value::Array(tokens) => tokens.iter().collect(),
                Value::Object(tokens) => tokens.values().collect(),
                _ => Vec::new(),
            };
            for token in tokens {
                self.others.push(parse(&field, token, true)?.token);
            }
        } else if key.ends_with("_token") && value.is_string() {
            self.others.push(parse(&field, value, true)?.token);
        }
        Ok(())
    }

    fn is_special(&self, text: &str) -> bool {
        let mut roles = self.roles.values().flatten().map(|special| &special.token);
        roles.any(|token| token.content == text) || self.others.iter().any(|token| token.content == text)
    }

    /// Gives special tokens the properties that they have in the table of ids.
    fn resolve(&mut self) {
        for special in self.roles.values_mut().flatten() {
            if let Some(token) = self.by_id.values().find(|token| token.content == special.token.content) {
                *special = Special { token: token.clone(), spelling_only: false };
            }
        }
    }

    /// The transformers class that the configuration names.
    pub(super) fn class(&self) -> Option<&str> {
        self.config.get("tokenizer_class")?.as_str()
    }

    /// Whether the inputs that the configuration lists for the model include the types of tokens. `None` if it lists none.
    pub(super) fn returns_types(&self) -> Option<bool> {
        let inputs = self.config.get("model_input_names")?.as_array()?;
        Some(inputs.iter().any(|input| input == "token_type_ids"))
    }

    /// Whether the configuration has a setting, even if it is null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.config.contains_key(key)
    }

    /// A Boolean setting.
    ///
    /// # Errors
    /// `file-corrupt` if it is not a Boolean.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.config.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => bail!(FileCorrupt, "{CONFIG_FILE}: {key}: expected true or false, found {other}"),
        }
    }

    /// A setting that is a number of at most `most`.
    ///
    /// # Errors
    /// `file-corrupt` if it is anything else.
    pub(super) fn count(&self, key: &str, most: u64) -> Result<Option<u64>> {
        match self.config.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().filter(|count| *count <= most) {
                Some(count) => Ok(Some(count)),
                None => {
                    bail!(FileCorrupt, "{CONFIG_FILE}: {key}: expected a number up to {most}, found {value}")
                }
            },
        }
    }

    /// The token of a role. `default` is the class's spelling for it.
    pub(super) fn role(&self, role: &str, default: Option<&str>) -> Option<Special> {
        match self.roles.get(role) {
            Some(declared) => declared.clone(),
            None => default.map(|text| Special { token: AddedToken::from(text, true), spelling_only: true }),
        }
    }

    /// Special tokens without a role.
    pub(super) fn others(&self) -> &[AddedToken] {
        &self.others
    }

    /// Tokens with their ids.
    pub(super) fn by_id(&self) -> &BTreeMap<u32, AddedToken> {
        &self.by_id
    }
}

fn object(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Result<Option<Map<String, Value>>> {
    let Some(bytes) = files.get(name) else { return Ok(None) };
    match python_json::parse(bytes) {
        Ok(Value::Object(fields)) => Ok(Some(fields)),
        Ok(_) => bail!(FileCorrupt, "{name}: expected a JSON object, found something else"),
        Err(error) => bail!(FileCorrupt, "{name}: not valid JSON: {error}"),
    }
}

/// Reads a token from its spelling or from an object with its properties. `special` is the default of that property.
fn parse(field: &str, value: &Value, special: bool) -> Result<Special> {
    let (token, spelling_only) = match value {
        Value::String(text) => (AddedToken::from(text.clone(), true), true),
        Value::Object(fields) => {
            let flag = |key: &str, default: bool| fields.get(key).and_then(Value::as_bool).unwrap_or(default);
            let Some(text) = fields.get("content").and_then(Value::as_str) else {
                bail!(FileCorrupt, "{field}: expected a token with its `content`, found none");
            };
            let special = special || flag("special", false);
            let token = AddedToken {
                content: text.to_owned(),
                single_word: flag("single_word", false),
                lstrip: flag("lstrip", false),
                rstrip: flag("rstrip", false),
                normalized: flag("normalized", !special),
                special,
            };
            (token, false)
        }
        other => bail!(FileCorrupt, "{field}: expected a token, found {other}"),
    };
    Ok(Special { token: checked(field, token)?, spelling_only })
}

fn checked(field: &str, token: AddedToken) -> Result<AddedToken> {
    match token.content.len() {
        0 => bail!(FileCorrupt, "{field}: expected a token, found an empty string"),
        len if len > MAX_TOKEN_BYTES => {
            bail!(FileCorrupt, "{field}: expected a token of at most {MAX_TOKEN_BYTES} bytes, found {len}")
        }
        _ => Ok(token),
    }
}
