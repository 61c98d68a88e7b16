//! Sessions, batches and runs that several test modules share.

use std::rc::Rc;

use crate::common::compare::numbers;
use crate::common::golden;
use pocketllm::dtype::DType;
use pocketllm::gpu::Backend;
use pocketllm::model::{Extent, Score};
use pocketllm::text::batch::Batch;
use pocketllm::text::encode::{Example, Target};
use pocketllm::train::{ExampleEncoder, Examples, RandomModel, Session, Settings, Trainer};
use pocketllm::zo::estimator::Estimator;
use pocketllm::zo::update;
use serde_json::Value;

/// Tolerance of losses, relative to the larger of 1 and the loss, as for logits.
pub(super) const LOSS: f64 = 2e-5;

pub(super) async fn open(backend: Rc<dyn Backend>, name: &str, dtype: DType) -> Session {
    if let Some((_, config)) = BLOCKS.iter().find(|(found, _)| *found == name) {
        let dir = RandomModel::new(name, config.as_bytes().to_vec(), 5).unwrap();
        return Session::open(backend, &dir, dtype, &mut |_| Ok(())).await.unwrap();
    }
    Session::open(backend, &golden::dir(name), dtype, &mut |_| Ok(())).await.unwrap()
}

/// The golden batch: masked sequences with label words, or every next token.
pub(super) fn batch(case: &Value) -> (Vec<Example>, Vec<u32>) {
    let sequences = case["sequences"].as_array().unwrap().iter().map(numbers);
    match case.get("mask_id") {
        Some(mask) => {
            let labels = numbers(&case["labels"]);
            let examples = sequences.zip(labels).map(|(ids, label)| {
                let mask = ids.iter().position(|id| u64::from(*id) == mask.as_u64().unwrap()).unwrap();
                Example { targets: vec![Target { position: mask as u32, label }], ids, ..Example::default() }
            });
            (examples.collect(), numbers(&case["label_ids"]))
        }
        None => (sequences.map(next_tokens).collect(), Vec::new()),
    }
}

fn next_tokens(ids: Vec<u32>) -> Example {
    let target = |i: usize| Target { position: i as u32 - 1, label: ids[i] };
    Example { targets: (1..ids.len()).map(target).collect(), ids, ..Example::default() }
}

/// Losses of the branches of an estimator at a step.
pub(super) async fn losses(
    session: &mut Session,
    case: &Value,
    estimator: &Estimator,
    (seed, step, eps): (u64, u32, f32),
) -> Vec<f32> {
    let (examples, labels) = batch(case);
    let batch = Batch::pack(&examples.iter().collect::<Vec<_>>());
    let score = if labels.is_empty() { Score::Vocabulary } else { Score::Labels(&labels) };
    let branches = estimator.branches();
    let (tokens, targets) = (batch.ids.len() as u32, batch.targets.len() as u32);
    let extent = Extent { branches, tokens, targets, labels: labels.len() as u32 };
    let added = update::step(&[], &estimator.branch_list(seed, step), eps, estimator.distribution);
    let (model, ws) = session.prepare(extent).unwrap();
    model.branch_scores(ws, &batch, score, (&added, branches), false).await.unwrap().means
}

pub(super) fn examples() -> Examples {
    let sequences = [
        [3_u32, 9, 17, 4, 30, 11].to_vec(),
        vec![8, 2, 2, 40],
        vec![5, 6, 7, 8, 9, 10, 11, 12],
        vec![20, 21, 22],
    ];
    Examples::new(sequences.map(next_tokens).to_vec(), 0)
}

pub(super) fn trainer(session: &Session, settings: &Settings) -> Trainer {
    Trainer::new(session, settings.clone(), ExampleEncoder::LanguageModel, None, examples()).unwrap()
}

/// For each family, a configuration with rows of whole blocks, so that quantized matrices stay quantized.
pub(super) const BLOCKS: &[(&str, &str)] = &[
    (
        "random roberta",
        r#"{"model_type":"roberta","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":2,"type_vocab_size":1,"pad_token_id":1,"layer_norm_eps":1e-5}"#,
    ),
    (
        "random bert",
        r#"{"model_type":"bert","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random gpt2",
        r#"{"model_type":"gpt2","n_embd":64,"n_head":4,"n_layer":2,"n_inner":96,"n_positions":40,"vocab_size":101}"#,
    ),
    (
        "random opt",
        r#"{"model_type":"opt","hidden_size":64,"word_embed_proj_dim":32,"do_layer_norm_before":false,"num_attention_heads":4,
            "ffn_dim":96,"vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random qwen2",
        r#"{"model_type":"qwen2","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"tie_word_embeddings":true,
            "use_sliding_window":true,"sliding_window":4,"max_window_layers":1}"#,
    ),
    (
        "random qwen3",
        r#"{"model_type":"qwen3","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":32,
            "intermediate_size":96,"vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random distilbert",
        r#"{"model_type":"distilbert","dim":64,"n_heads":4,"hidden_dim":96,"n_layers":2,"max_position_embeddings":40,
            "vocab_size":101}"#,
    ),
    (
        "random electra",
        r#"{"model_type":"electra","embedding_size":32,"hidden_size":64,"num_attention_heads":4,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random mpnet",
        r#"{"model_type":"mpnet","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":42,"num_hidden_layers":2}"#,
    ),
    (
        "random deberta-v2",
        r#"{"model_type":"deberta-v2","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":2,"relative_attention":true,"share_att_key":true,
            "pos_att_type":"p2c|c2p","position_biased_input":false,"position_buckets":8,"norm_rel_ebd":"layer_norm"}"#,
    ),
    (
        "random eurobert",
        r#"{"model_type":"eurobert","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random albert",
        r#"{"model_type":"albert","embedding_size":32,"hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":3,"num_hidden_groups":2}"#,
    ),
    (
        "random modernbert",
        r#"{"model_type":"modernbert","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":2,"local_attention":6}"#,
    ),
    (
        "random gpt_neox",
        r#"{"model_type":"gpt_neox","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random smollm3",
        r#"{"model_type":"smollm3","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"no_rope_layers":[1,0]}"#,
    ),
    (
        "random lfm2",
        r#"{"model_type":"lfm2","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "block_auto_adjust_ff_dim":false,"vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,
            "layer_types":["conv","full_attention"]}"#,
    ),
    (
        "random olmo2",
        r#"{"model_type":"olmo2","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random granite",
        r#"{"model_type":"granite","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"embedding_multiplier":12,
            "attention_multiplier":0.1,"residual_multiplier":0.22,"logits_scaling":8}"#,
    ),
    (
        "random phi3",
        r#"{"model_type":"phi3","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"original_max_position_embeddings":8,
            "rope_scaling":{"type":"longrope","short_factor":[1,1,1,1,2,2,2,2],"long_factor":[1,2,3,4,5,6,7,8]}}"#,
    ),
    (
        "random gemma3",
        r#"{"model_type":"gemma3_text","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":1,"head_dim":32,
            "intermediate_size":96,"vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"sliding_window":4,
            "layer_types":["sliding_attention","full_attention"],"query_pre_attn_scalar":32}"#,
    ),
    (
        "random ernie4_5",
        r#"{"model_type":"ernie4_5","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"head_dim":32}"#,
    ),
    (
        "random hunyuan_v1_dense",
        r#"{"model_type":"hunyuan_v1_dense","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"tie_word_embeddings":true,
            "rope_scaling":{"type":"dynamic","alpha":1000}}"#,
    ),
    (
        "random exaone4",
        r#"{"model_type":"exaone4","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"sliding_window":4,
            "sliding_window_pattern":2}"#,
    ),
    (
        "random stablelm",
        r#"{"model_type":"stablelm","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"use_qkv_bias":true,
            "use_parallel_residual":true}"#,
    ),
    (
        "random starcoder2",
        r#"{"model_type":"starcoder2","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"sliding_window":4}"#,
    ),
    (
        "random olmo",
        r#"{"model_type":"olmo","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random granitemoehybrid",
        r#"{"model_type":"granitemoehybrid","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,
            "intermediate_size":32,"shared_intermediate_size":96,"num_local_experts":0,"layer_types":["attention","attention"],
            "position_embedding_type":"rope","vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,
            "embedding_multiplier":12,"attention_multiplier":0.1,"residual_multiplier":0.22,"logits_scaling":8}"#,
    ),
    (
        "random modernbert-decoder",
        r#"{"model_type":"modernbert-decoder","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":2,"local_attention":6}"#,
    ),
    (
        "random gpt_neo",
        r#"{"model_type":"gpt_neo","hidden_size":64,"num_heads":4,"num_layers":2,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"window_size":4,"attention_types":[[["global","local"],1]]}"#,
    ),
];
