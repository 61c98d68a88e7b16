//! The classes of tokenizers in transformers 5 that can be built without a `tokenizer.json`.

use tokenizers::AddedToken;

use super::declared::Declared;
use crate::error::{Result, bail};

/// The kinds of tokenizers. Each represents a transformers class and the classes that behave like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Bert,
    Mpnet,
    Gpt2,
    GptNeoX,
    Qwen2,
    Roberta,
    Albert,
    Camembert,
    DebertaV2,
    Gemma,
    Llama,
    T5,
    XlmRoberta,
}

/// The files that a class is read from, and its defaults.
pub(super) struct Rule {
    pub(super) class: Class,
    /// The names of the class in `tokenizer_class`, without the suffix `Fast`.
    pub(super) names: &'static [&'static str],
    /// Each `model_type` in config.json that implies this class if no file names one.
    model_types: &'static [&'static str],
    /// The default spellings of its special tokens by role, for roles that no file specifies.
    pub(super) defaults: &'static [(&'static str, &'static str)],
}

const BERT: &[(&str, &str)] = &[
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];
const ROBERTA: &[(&str, &str)] = &[
    ("bos_token", "<s>"),
    ("eos_token", "</s>"),
    ("unk_token", "<unk>"),
    ("sep_token", "</s>"),
    ("pad_token", "<pad>"),
    ("cls_token", "<s>"),
    ("mask_token", "<mask>"),
];
const GPT2: &[(&str, &str)] =
    &[("bos_token", "<|endoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>")];

const RULES: &[Rule] = &[
    Rule {
        class: Class::Bert,
        names: &["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"],
        model_types: &["bert", "distilbert", "electra", "ernie", "megatron-bert", "mobilebert"],
        defaults: BERT,
    },
    Rule {
        class: Class::Mpnet,
        names: &["MPNetTokenizer"],
        model_types: &["mpnet"],
        defaults: &[
            ("bos_token", "<s>"),
            ("eos_token", "</s>"),
            ("unk_token", "[UNK]"),
            ("sep_token", "</s>"),
            ("pad_token", "<pad>"),
            ("cls_token", "<s>"),
            ("mask_token", "<mask>"),
        ],
    },
    Rule {
        class: Class::Gpt2,
        names: &["GPT2Tokenizer", "CodeGenTokenizer"],
        model_types: &["gpt2", "opt", "gpt_neo", "gptj", "phi", "codegen", "starcoder2"],
        defaults: GPT2,
    },
    Rule {
        class: Class::GptNeoX,
        names: &["GPTNeoXTokenizer"],
        model_types: &["gpt_neox", "olmo", "mpt"],
        defaults: &[
            ("bos_token", "<|endoftext|>"),
            ("eos_token", "<|endoftext|>"),
            ("unk_token", "<|endoftext|>"),
            ("pad_token", "<|padding|>"),
        ],
    },
    Rule {
        class: Class::Qwen2,
        names: &["Qwen2Tokenizer"],
        model_types: &["qwen2", "qwen3"],
        defaults: &[
            ("eos_token", "<|endoftext|>"),
            ("unk_token", "<|endoftext|>"),
            ("pad_token", "<|endoftext|>"),
        ],
    },
    Rule {
        class: Class::Roberta,
        names: &["RobertaTokenizer", "BartTokenizer", "LongformerTokenizer"],
        model_types: &["roberta", "bart", "data2vec-text", "longformer", "roberta-prelayernorm"],
        defaults: ROBERTA,
    },
    Rule {
        class: Class::Albert,
        names: &["AlbertTokenizer"],
        model_types: &["albert"],
        defaults: &[
            ("bos_token", "[CLS]"),
            ("eos_token", "[SEP]"),
            ("unk_token", "<unk>"),
            ("sep_token", "[SEP]"),
            ("pad_token", "<pad>"),
            ("cls_token", "[CLS]"),
            ("mask_token", "[MASK]"),
        ],
    },
    Rule {
        class: Class::Camembert,
        names: &["CamembertTokenizer"],
        model_types: &["camembert"],
        defaults: ROBERTA,
    },
    Rule {
        class: Class::DebertaV2,
        names: &["DebertaV2Tokenizer"],
        model_types: &["deberta-v2"],
        defaults: &[
            ("bos_token", "[CLS]"),
            ("eos_token", "[SEP]"),
            ("unk_token", "[UNK]"),
            ("sep_token", "[SEP]"),
            ("pad_token", "[PAD]"),
            ("cls_token", "[CLS]"),
            ("mask_token", "[MASK]"),
        ],
    },
    Rule {
        class: Class::Gemma,
        names: &["GemmaTokenizer"],
        model_types: &["gemma", "gemma2", "gemma3", "gemma3_text"],
        defaults: &[
            ("bos_token", "<bos>"),
            ("eos_token", "<eos>"),
            ("unk_token", "<unk>"),
            ("pad_token", "<pad>"),
            ("mask_token", "<mask>"),
        ],
    },
    Rule {
        class: Class::Llama,
        names: &["LlamaTokenizer"],
        model_types: &["llama", "mistral"],
        defaults: &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")],
    },
    Rule {
        class: Class::T5,
        names: &["T5Tokenizer"],
        model_types: &["t5", "mt5"],
        defaults: &[("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")],
    },
    Rule {
        class: Class::XlmRoberta,
        names: &["XLMRobertaTokenizer"],
        model_types: &["xlm-roberta"],
        defaults: ROBERTA,
    },
];

/// Names that only say that there should be a `tokenizer.json`.
const GENERIC: [&str; 3] = ["PreTrainedTokenizer", "TokenizersBackend", "PythonBackend"];

/// The rule of a transformers class, if known.
pub(super) fn named(class: &str) -> Option<&'static Rule> {
    let class = class.strip_suffix("Fast").unwrap_or(class);
    RULES.iter().find(|rule| rule.names.contains(&class))
}

/// Chooses the rule by the class that a file names, or otherwise by the model's type.
///
/// # Errors
/// `model-unsupported`, naming the class and the type, if neither is known.
pub(super) fn choose(class: Option<&str>, model_type: Option<&str>) -> Result<&'static Rule> {
    let specific = class.filter(|name| !GENERIC.contains(&name.strip_suffix("Fast").unwrap_or(name)));
    let of_type =
        || RULES.iter().find(|rule| model_type.is_some_and(|name| rule.model_types.contains(&name)));
    let rule = match specific {
        Some(name) => named(name),
        None => of_type(),
    };
    let Some(rule) = rule else {
        let known: Vec<&str> = RULES.iter().flat_map(|rule| rule.names).copied().collect();
        let found = match (class, model_type) {
            (Some(class), _) => format!("tokenizer_class {class:?}"),
            (None, Some(name)) => format!("no tokenizer_class, and model_type {name:?}"),
            (None, None) => "no tokenizer_class".to_owned(),
        };
        bail!(
            ModelUnsupported,
            "a tokenizer without tokenizer.json: expected tokenizer_class {}, found {found}; save the tokenizer as tokenizer.json \
             (in transformers: AutoTokenizer.from_pretrained(..).save_pretrained(..))",
            known.join(", ")
        );
    };
    Ok(rule)
}

/// The rule of the class that transformers uses for a `tokenizer.json`, if it is a class of its own. A class without `tokenizer_class`
/// follows from the model's type.
pub(super) fn of_tokenizer_json(class: Option<&str>, model_type: Option<&str>) -> Option<&'static Rule> {
    match class {
        Some(name) => named(name),
        None => choose(None, model_type).ok(),
    }
}

/// Whether the class, or the one that follows from the model's type, returns the types of tokens (`model_input_names`). (ALBERT's
/// class does so in transformers 4, with which its models were trained, but not in version 5.)
pub(super) fn returns_types(class: Option<&str>, model_type: Option<&str>) -> bool {
    // transformers 5 has a class of its own for DistilBERT, which has no types.
    let untyped = class.is_some_and(|class| class.starts_with("DistilBert"));
    let rule = of_tokenizer_json(class, model_type);
    rule.is_some_and(|rule| matches!(rule.class, Class::Bert | Class::Albert | Class::DebertaV2)) && !untyped
}

impl Rule {
    /// The token of a role.
    pub(super) fn role(&self, declared: &Declared, role: &str) -> Option<AddedToken> {
        let special = declared.role(role, default_of(self.defaults, role))?;
        let mut token = special.token;
        if role == "mask_token" && special.spelling_only && self.class.mask_strips_left() {
            token.lstrip = true;
        }
        Some(token)
    }
}

/// The default spelling of a role's token.
pub(super) fn default_of<'a>(defaults: &[(&str, &'a str)], role: &str) -> Option<&'a str> {
    defaults.iter().find(|(name, _)| *name == role).map(|(_, text)| *text)
}

impl Class {
    /// Whether the mask token absorbs the space before it, if the files give only its spelling. The models were trained with this.
    /// (transformers 5 does not do it for RoBERTa and XLM-RoBERTa; version 4 did.)
    fn mask_strips_left(self) -> bool {
        matches!(self, Class::Mpnet | Class::Roberta | Class::Camembert | Class::XlmRoberta)
    }
}
