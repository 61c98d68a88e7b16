use pollster::block_on;

use super::*;
use crate::error::{Code, Error};
use crate::format::files::MemoryDir;

const LORA: &str = r#"{"peft_type":"LORA","base_model_name_or_path":"some/model","task_type":"CAUSAL_LM","r":2,"lora_alpha":8,
"target_modules":["q","v"],"bias":"none","fan_in_fan_out":false,"rank_pattern":{},"modules_to_save":null,"use_dora":false,
"lora_dropout":0.1,"init_lora_weights":true,"inference_mode":true,"a_field_of_tomorrow":null}"#;

const PREFIX: &str = r#"{"peft_type":"PREFIX_TUNING","base_model_name_or_path":"","task_type":"FEATURE_EXTRACTION","num_virtual_tokens":3,
"num_layers":2,"token_dim":4,"num_attention_heads":2,"num_transformer_submodules":1,"encoder_hidden_size":4,"prefix_projection":false}"#;

fn base() -> Base {
    let linear =
        |path: &str, outputs| Module { path: path.to_owned(), inputs: 3, outputs, transposed: false };
    Base {
        linears: vec![linear("m.0.q", 5), linear("m.0.k", 5), linear("m.0.v", 4), linear("m.1.q", 5)],
        layers: 2,
        kv_heads: 2,
        kv_width: 4,
    }
}

/// Values that are different for every element of every tensor.
fn values(tensors: &[AdapterTensor]) -> Vec<Vec<f32>> {
    let of = |(i, t): (usize, &AdapterTensor)| {
        (0..t.rows * t.width).map(|e| (1000 * i as u64 + e) as f32).collect()
    };
    tensors.iter().enumerate().map(of).collect()
}

fn weights(tensors: &[AdapterTensor]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = AdapterWriter::new(tensors, &[], |bytes: &[u8]| {
        file.extend_from_slice(bytes);
        Ok(())
    })
    .unwrap();
    let len = writer.file_len();
    for values in values(tensors) {
        writer.write(&values).unwrap();
    }
    assert!(writer.write(&[]).is_err());
    let _sink = writer.finish().unwrap();
    assert_eq!(file.len() as u64, len);
    file
}

fn dir(config: &str, weights: Vec<u8>) -> MemoryDir {
    MemoryDir::new("tuned").with(CONFIG_FILE, config.as_bytes()).with(WEIGHTS_FILE, weights)
}

fn refused<T>(result: Result<T>, code: Code, says: &[&str]) {
    let error: Error = result.err().expect("a refusal");
    assert_eq!(error.code(), code, "{error}");
    for part in says {
        assert!(error.message().contains(part), "{part:?} not in: {error}");
    }
}

#[test]
fn both_methods_come_back_as_they_were_written() {
    let base = base();
    for (text, modules) in [(LORA, vec![base.linears[0].clone(), base.linears[2].clone()]), (PREFIX, vec![])]
    {
        let config = AdapterConfig::parse(CONFIG_FILE, text.as_bytes()).unwrap();
        let tensors = tensors(&config.method, &modules).unwrap();
        let written = config.to_json(&modules);
        let adapter = block_on(Adapter::open(&dir(&written, weights(&tensors)))).unwrap();
        assert_eq!(adapter.config.base_model, config.base_model);
        assert_eq!(adapter.config.task_type, config.task_type);
        assert_eq!(adapter.modules(&base).unwrap(), modules);
        for (tensor, values) in tensors.iter().zip(values(&tensors)) {
            assert_eq!(block_on(adapter.read(tensor)).unwrap(), values);
        }
        match (&config.method, &adapter.config.method) {
            (Method::Lora(one), Method::Lora(other)) => {
                assert_eq!((one.rank, one.scale_of("q")), (other.rank, other.scale_of("q")));
                assert_eq!(other.targets, Some(vec!["m.0.q".to_owned(), "m.0.v".to_owned()]));
            }
            (one, other) => assert_eq!(one, other),
        }
    }
}

/// `peft` names the layers of `AutoModel` without the prefix of a model with a head.
#[test]
fn an_adapter_of_a_model_without_a_head_gets_the_names_of_one_with_a_head() {
    let config = LORA.replace("CAUSAL_LM", "FEATURE_EXTRACTION");
    let base = base();
    let modules = [base.linears[0].clone(), base.linears[2].clone()];
    let bare = modules.clone().map(|module| Module { path: module.path.replacen("m.", "", 1), ..module });
    let method = AdapterConfig::parse(CONFIG_FILE, config.as_bytes()).unwrap().method;
    let file = weights(&tensors(&method, &bare).unwrap());
    let adapter = block_on(Adapter::open(&dir(&config, file.clone()))).unwrap().with_names_of(&base);
    assert_eq!(adapter.modules(&base).unwrap(), modules);
    let list = tensors(&method, &modules).unwrap();
    for (tensor, right) in list.iter().zip(values(&list)) {
        assert_eq!(block_on(adapter.read(tensor)).unwrap(), right);
    }
    // A model with other layers is still another model.
    let other = Base { linears: vec![Module { path: "m.9.q".to_owned(), ..modules[0].clone() }], ..base };
    let adapter = block_on(Adapter::open(&dir(&config, file))).unwrap().with_names_of(&other);
    refused(
        adapter.modules(&other),
        Code::InvalidArgument,
        &["another model", "base_model.model.0.q.lora_A.weight"],
    );
}

#[test]
fn a_prefix_has_keys_and_values_side_by_side() {
    let config = AdapterConfig::parse(CONFIG_FILE, PREFIX.as_bytes()).unwrap();
    assert_eq!(config.base_model, None);
    let tensors = tensors(&config.method, &[]).unwrap();
    assert_eq!(tensors.iter().map(|t| (t.rows, t.width)).collect::<Vec<_>>(), [(3, 4); 4]);
    let file = weights(&tensors);
    let data: Vec<f32> =
        file[file.len() - 192..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    // Row 0 has the keys and values of layer 0, then those of layer 1.
    assert_eq!(data[..6], [0.0, 1.0, 2.0, 3.0, 1000.0, 1001.0]);
    assert_eq!(data[12..17], [3000.0, 3001.0, 3002.0, 3003.0, 4.0]);
}

#[test]
fn scales() {
    let lora = |text: &str| match AdapterConfig::parse(CONFIG_FILE, text.as_bytes()).unwrap().method {
        Method::Lora(lora) => lora,
        Method::Prefix(_) => unreachable!("a LoRA"),
    };
    assert_eq!(lora(LORA).scale_of("q"), 4.0);
    let text = LORA.replace(r#""r":2"#, r#""r":16,"use_rslora":true"#);
    assert_eq!(lora(&text).scale_of("q"), 2.0);
    let text =
        LORA.replace(r#""rank_pattern":{}"#, r#""rank_pattern":{"z|q":4,"m":1},"alpha_pattern":{"^n.q":1}"#);
    let patterns = lora(&text);
    let found =
        ["m.0.q", "n.q", "m.n.q", "mq", "a.m"].map(|path| (patterns.rank_of(path), patterns.scale_of(path)));
    assert_eq!(found, [(4, 2.0), (4, 0.25), (4, 2.0), (2, 4.0), (1, 8.0)]);
    let text = LORA.replace(r#"["q","v"]"#, r#"".*\\.(q|v)$""#).replace("8", "2.5");
    assert_eq!((lora(&text).scale_of("q"), lora(&text).targets), (1.25, None));
}

#[test]
fn settings_that_are_not_implemented_are_refused_by_name() {
    let changed = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        AdapterConfig::parse(CONFIG_FILE, text.replacen(from, to, 1).as_bytes())
    };
    let unsupported = Code::ModelUnsupported;
    for (from, to, field) in [
        (r#""LORA""#, r#""IA3""#, "`peft_type`"),
        (r#""peft_type":"LORA","#, "", "`peft_type`"),
        (r#""none""#, r#""some""#, "`bias`"),
        (r#""use_dora":false"#, r#""use_dora":true"#, "`use_dora`"),
        (r#""rank_pattern":{}"#, r#""rank_pattern":{"q":0}"#, "`rank_pattern`"),
        (r#""rank_pattern":{}"#, r#""alpha_pattern":{"(q":4}"#, "`alpha_pattern`"),
        (r#""modules_to_save":null"#, r#""modules_to_save":"score""#, "`modules_to_save`"),
        (r#""rank_pattern":{}"#, r#""layer_replication":[[0,2]]"#, "`layer_replication`"),
        (r#""rank_pattern":{}"#, r#""lora_bias":true"#, "`lora_bias`"),
        (r#""init_lora_weights":true"#, r#""init_lora_weights":"pissa_niter_4""#, "pissa_niter_4"),
        (r#""r":2"#, r#""r":0"#, "`r`"),
        (r#""r":2"#, r#""r":-2"#, "`r`"),
        (r#""r":2,"#, "", "`r`"),
        (r#""lora_alpha":8"#, r#""lora_alpha":"8""#, "`lora_alpha`"),
        (r#""lora_alpha":8"#, r#""lora_alpha":-3"#, "`lora_alpha`"),
        (r#"["q","v"]"#, r#"["q",3]"#, "`target_modules`"),
        (r#""fan_in_fan_out":false"#, r#""fan_in_fan_out":1"#, "`fan_in_fan_out`"),
    ] {
        refused(changed(LORA, from, to), unsupported, &[CONFIG_FILE, field]);
    }
    for (from, to, field) in [
        (r#""prefix_projection":false"#, r#""prefix_projection":true"#, "`prefix_projection`"),
        (r#""num_virtual_tokens":3"#, r#""num_virtual_tokens":0"#, "`num_virtual_tokens`"),
        (r#""num_layers":2"#, r#""num_layers":4294967295"#, "`num_layers`"),
        (r#""num_layers":2"#, r#""num_layers":null"#, "`num_layers`"),
        (r#""token_dim":4"#, r#""token_dim":5"#, "`token_dim`"),
        (r#""num_attention_heads":2"#, r#""num_attention_heads":0"#, "`num_attention_heads`"),
        (
            r#""num_transformer_submodules":1"#,
            r#""num_transformer_submodules":2"#,
            "`num_transformer_submodules`",
        ),
    ] {
        refused(changed(PREFIX, from, to), unsupported, &[CONFIG_FILE, field]);
    }
    refused(AdapterConfig::parse(CONFIG_FILE, b"[]"), Code::FileCorrupt, &[CONFIG_FILE]);
}

#[test]
fn files_that_do_not_fit_are_refused_by_name() {
    let base = base();
    let lora = AdapterConfig::parse(CONFIG_FILE, LORA.as_bytes()).unwrap().method;
    let open = |config: &str, tensors: &[AdapterTensor]| {
        block_on(Adapter::open(&dir(config, weights(tensors)))).unwrap().modules(&base)
    };
    let good = tensors(&lora, &base.linears[..1]).unwrap();
    assert_eq!(open(LORA, &good).unwrap(), base.linears[..1]);
    let corrupt = Code::FileCorrupt;
    refused(open(LORA, &good[..1]), corrupt, &["tuned/", "m.0.q.lora_B.weight", "[5, 2]", "none"]);
    refused(open(&LORA.replace(r#""r":2"#, r#""r":3"#), &good), corrupt, &["lora_A", "[3, 3]", "[2, 3]"]);
    refused(open(LORA, &tensors(&lora, &base.linears[1..2]).unwrap()), corrupt, &["m.0.k", "target_modules"]);
    let other = |path: &str| Module { path: path.to_owned(), inputs: 3, outputs: 5, transposed: false };
    refused(open(LORA, &tensors(&lora, &[other("n.q")]).unwrap()), Code::InvalidArgument, &["n.q", "m.0.q"]);
    let both = tensors(&lora, &[other("m.0.q"), other("n.q")]).unwrap();
    refused(open(LORA, &both), Code::ModelUnsupported, &["n.q", "an attention or MLP layer"]);

    let prefix = AdapterConfig::parse(CONFIG_FILE, PREFIX.as_bytes()).unwrap().method;
    let parts = tensors(&prefix, &[]).unwrap();
    let longer = PREFIX.replace(r#""num_virtual_tokens":3"#, r#""num_virtual_tokens":4000000000"#);
    refused(open(&longer, &parts), corrupt, &["prompt_embeddings", "[4000000000, 16]", "[3, 16]"]);
    refused(open(PREFIX, &good), corrupt, &["prompt_embeddings", "none"]);
    for (from, to, field) in [
        (r#""num_layers":2"#, r#""num_layers":3"#, "`num_layers`"),
        (r#""num_attention_heads":2"#, r#""num_attention_heads":4"#, "`num_attention_heads`"),
        (r#""token_dim":4"#, r#""token_dim":8"#, "`token_dim`"),
    ] {
        refused(open(&PREFIX.replace(from, to), &parts), Code::InvalidArgument, &["tuned/", field]);
    }

    let missing = |dir: MemoryDir, says| {
        refused(block_on(Adapter::open(&dir)), Code::InvalidArgument, &["tuned", says]);
    };
    missing(MemoryDir::new("tuned"), CONFIG_FILE);
    missing(MemoryDir::new("tuned").with(CONFIG_FILE, LORA.as_bytes()), WEIGHTS_FILE);
}

#[test]
fn values_that_are_not_finite_are_refused() {
    let method = AdapterConfig::parse(CONFIG_FILE, LORA.as_bytes()).unwrap().method;
    let tensors = tensors(&method, &base().linears[..1]).unwrap();
    let mut file = weights(&tensors);
    let end = file.len();
    file[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let adapter = block_on(Adapter::open(&dir(LORA, file))).unwrap();
    assert!(block_on(adapter.read(&tensors[0])).is_ok());
    refused(block_on(adapter.read(&tensors[1])), Code::FileCorrupt, &["tuned/", "m.0.q.lora_B", "NaN"]);
}

#[test]
fn writing_keeps_to_the_order_and_the_sizes() {
    let method = AdapterConfig::parse(CONFIG_FILE, PREFIX.as_bytes()).unwrap().method;
    let tensors = tensors(&method, &[]).unwrap();
    let mut writer = AdapterWriter::new(&tensors, &[], |_: &[u8]| Ok(())).unwrap();
    refused(writer.write(&[0.0; 11]), Code::InvalidArgument, &["prompt_embeddings", "3 x 4", "11"]);
    writer.write(&[0.0; 12]).unwrap();
    refused(writer.finish().map(|_| ()), Code::InvalidArgument, &["prompt_embeddings"]);
}

#[test]
fn modules_are_named_after_their_weights() {
    let module = Module::of_weight("m.0.q.weight", 5, 3).unwrap();
    assert_eq!(module, base().linears[0]);
    assert_eq!(module.weight(), "m.0.q.weight");
    assert_eq!(Module::of_weight("m.0.q.bias", 5, 3), None);
}
