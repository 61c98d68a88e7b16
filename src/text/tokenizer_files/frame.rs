//! The special tokens around a text, such as `[CLS]` and `[SEP]`.

use serde_json::{Value, json};
use tokenizers::Tokenizer;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::processors::roberta::RobertaProcessing;

use super::class::{Class, Rule};
use super::declared::Declared;
use crate::error::{Result, err};

/// Sets the special tokens that a class adds around a text, once all tokens have their ids.
pub(super) fn add(rule: &Rule, inner: &mut Tokenizer, declared: &Declared) -> Result<()> {
    let token = |role: &str| -> Option<(String, u32)> {
        let text = rule.role(declared, role)?.content;
        let id = inner.token_to_id(&text)?;
        Some((text, id))
    };
    let needed = |role: &str| {
        token(role).ok_or_else(|| err!(FileCorrupt, "expected a {role} for {}, found none", rule.names[0]))
    };
    let (bos, eos) = (declared.flag("add_bos_token")?, declared.flag("add_eos_token")?);
    let configured = bos.is_some() || eos.is_some();
    let processor = match rule.class {
        Class::Roberta => {
            let add_prefix_space = declared.flag("add_prefix_space")?.unwrap_or(false);
            let trim = declared.flag("trim_offsets")?.unwrap_or(true);
            RobertaProcessing::new(needed("sep_token")?, needed("cls_token")?)
                .trim_offsets(trim)
                .add_prefix_space(add_prefix_space)
                .into()
        }
        Class::Mpnet => {
            RobertaProcessing::new(needed("sep_token")?, needed("cls_token")?).add_prefix_space(false).into()
        }
        Class::Bert | Class::DebertaV2 => enclosed(needed("cls_token")?, needed("sep_token")?)?,
        Class::Albert if !configured => enclosed(needed("cls_token")?, needed("sep_token")?)?,
        Class::Camembert | Class::XlmRoberta => {
            let (bos, eos) = (needed("bos_token")?, needed("eos_token")?);
            let (b, e) = (Part::Token(&bos, 0), Part::Token(&eos, 0));
            let pair = [b, Part::A, e, e, Part::B(0), e];
            template(&[b, Part::A, e], &pair)?
        }
        Class::T5 => {
            let eos = needed("eos_token")?;
            let e = Part::Token(&eos, 0);
            template(&[Part::A, e], &[Part::A, e, Part::B(0), e])?
        }
        _ => {
            let bos = token("bos_token").filter(|_| bos == Some(true));
            let eos = token("eos_token").filter(|_| eos == Some(true));
            let around = |text: Part<'static>, kind: u32| -> Vec<Part<'_>> {
                let token = |token| Part::Token(token, kind);
                bos.iter().map(token).chain([text]).chain(eos.iter().map(token)).collect()
            };
            template(&around(Part::A, 0), &[around(Part::A, 0), around(Part::B(1), 1)].concat())?
        }
    };
    inner.with_post_processor(Some(processor));
    Ok(())
}

/// `[CLS] A [SEP]`, and `[CLS] A [SEP] B [SEP]` for a pair.
fn enclosed(cls: (String, u32), sep: (String, u32)) -> Result<PostProcessorWrapper> {
    let single = [Part::Token(&cls, 0), Part::A, Part::Token(&sep, 0)];
    template(&single, &[&single[..], &[Part::B(1), Part::Token(&sep, 1)]].concat())
}

/// A part of the template for a text, with its token type.
#[derive(Clone, Copy)]
enum Part<'a> {
    /// The text, or the first text of a pair.
    A,
    /// The second text of a pair.
    B(u32),
    Token(&'a (String, u32), u32),
}

fn template(single: &[Part<'_>], pair: &[Part<'_>]) -> Result<PostProcessorWrapper> {
    let mut tokens = serde_json::Map::new();
    for part in pair {
        if let Part::Token((text, id), _) = part {
            tokens.insert(text.clone(), json!({"id": text, "ids": [id], "tokens": [text]}));
        }
    }
    let parts = |parts: &[Part<'_>]| -> Value {
        let part = |part: &Part<'_>| match part {
            Part::A => json!({"Sequence": {"id": "A", "type_id": 0}}),
            Part::B(kind) => json!({"Sequence": {"id": "B", "type_id": kind}}),
            Part::Token((text, _), kind) => json!({"SpecialToken": {"id": text, "type_id": kind}}),
        };
        parts.iter().map(part).collect()
    };
    let form = json!({"type": "TemplateProcessing", "single": parts(single), "pair": parts(pair), "special_tokens": tokens});
    serde_json::from_value(form).map_err(|e| err!(ModelUnsupported, "special tokens: {e}"))
}
