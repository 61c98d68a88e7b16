"""Write the golden GGUF files of more architectures, as llama.cpp's converter names and stores their tensors.

    python tests/golden/gguf_families.py            all of them
    python tests/golden/gguf_families.py phi3       some of them

Folders are as those of generate.py; the logits are those of the dequantized weights.
"""

import sys

import gguf
import numpy as np
import torch
import transformers
from generate import byte_level_bpe, fresh, json, norms_around_zero, permuted, random_cases, randomise, write_cases, write_expected
from transformers import (
    ArceeConfig,
    AutoModelForCausalLM,
    Cohere2Config,
    CohereConfig,
    Ernie4_5Config,
    Exaone4Config,
    Gemma2Config,
    GemmaConfig,
    Glm4Config,
    GlmConfig,
    GPTBigCodeConfig,
    GPTNeoXConfig,
    GraniteConfig,
    HunYuanDenseV1Config,
    Lfm2Config,
    OlmoConfig,
    Olmo2Config,
    Phi3Config,
    PhiConfig,
    SeedOssConfig,
    SmolLM3Config,
    StableLmConfig,
    Starcoder2Config,
)

TYPES = gguf.GGMLQuantizationType
SHARED = dict(vocab_size=300, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0, attn_implementation="eager")
SIZES = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
ATTENTION = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj"}
MLP = {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
LLAMA = {"attn_norm": "input_layernorm", **ATTENTION, "ffn_norm": "post_attention_layernorm", **MLP}
HEAD_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
AFTER = {"post_attention_norm": "post_attention_layernorm", "post_ffw_norm": "post_feedforward_layernorm"}
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def rms(writer, config, theta=None):
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(theta or config.rope_parameters["rope_theta"])


def gemma2():
    config = Gemma2Config(
        **SHARED, **SIZES, num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=16, sliding_window=7,
        attn_logit_softcapping=2.0, final_logit_softcapping=5.0,
    )  # fmt: skip

    def keys(writer, config):
        rms(writer, config)
        writer.add_key_length(16)
        writer.add_value_length(16)
        writer.add_sliding_window(7)
        writer.add_attn_logit_softcapping(2.0)
        writer.add_final_logit_softcapping(5.0)

    return config, keys, {**LLAMA, **AFTER, "ffn_norm": "pre_feedforward_layernorm"}, OUTSIDE


def smollm3():
    config = SmolLM3Config(**SHARED, **(SIZES | {"num_hidden_layers": 4}), num_key_value_heads=2, tie_word_embeddings=True)
    return config, rms, LLAMA, OUTSIDE


def olmo2():
    config = Olmo2Config(**SHARED, **SIZES, num_key_value_heads=2)
    return config, rms, {**ATTENTION, **HEAD_NORMS, **AFTER, **MLP}, OUTSIDE


def granite():
    config = GraniteConfig(
        **SHARED, **SIZES, num_key_value_heads=2, embedding_multiplier=3.0, logits_scaling=4.0, residual_multiplier=0.5,
        attention_multiplier=0.25, tie_word_embeddings=True,
    )  # fmt: skip

    def keys(writer, config):
        rms(writer, config)
        writer.add_attention_scale(0.25)
        writer.add_embedding_scale(3.0)
        writer.add_residual_scale(0.5)
        writer.add_logit_scale(4.0)

    return config, keys, LLAMA, OUTSIDE


def ernie4_5():
    config = Ernie4_5Config(**SHARED, **SIZES, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True)

    def keys(writer, config):
        rms(writer, config)
        writer.add_key_length(16)
        writer.add_value_length(16)
        writer.add_rope_dimension_count(16)

    return config, keys, LLAMA, OUTSIDE


def hunyuan():
    """The stored base of the rotary positions includes alpha."""
    rope = {"rope_type": "dynamic", "rope_theta": 10000.0, "alpha": 1000.0, "factor": 1.0}
    config = HunYuanDenseV1Config(**SHARED, **SIZES, num_key_value_heads=2, head_dim=16, rope_parameters=rope)

    def keys(writer, config):
        rms(writer, config, 10000.0 * 1000.0 ** (16 / 14))
        writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)
        writer.add_rope_scaling_factor(1)
        writer.add_key_length(16)
        writer.add_value_length(16)

    norms = {"attn_q_norm": "self_attn.query_layernorm", "attn_k_norm": "self_attn.key_layernorm"}
    return config, keys, {**LLAMA, **norms}, OUTSIDE


def exaone4():
    """The first three layers have a window; the last one has no rotary positions."""
    config = Exaone4Config(**SHARED, **(SIZES | {"num_hidden_layers": 4}), num_key_value_heads=2, sliding_window=7)

    def keys(writer, config):
        rms(writer, config)
        writer.add_sliding_window(7)
        writer.add_sliding_window_pattern([kind == "sliding_attention" for kind in config.layer_types])

    return config, keys, {**ATTENTION, **HEAD_NORMS, **AFTER, **MLP}, OUTSIDE


def layer_norm(writer, config, epsilon):
    writer.add_layer_norm_eps(epsilon)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])


def stablelm():
    rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}
    config = StableLmConfig(**SHARED, **SIZES, num_key_value_heads=2, use_qkv_bias=True, rope_parameters=rope)

    def keys(writer, config):
        layer_norm(writer, config, config.layer_norm_eps)
        writer.add_rope_dimension_count(4)
        # The converter writes this where config.json does not say it; llama.cpp looks for ffn_norm instead.
        writer.add_parallel_residual(True)

    return config, keys, LLAMA, OUTSIDE


def starcoder2():
    config = Starcoder2Config(**SHARED, **SIZES, num_key_value_heads=2)
    layer = {"attn_norm": "input_layernorm", **ATTENTION, "ffn_norm": "post_attention_layernorm", "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"}
    return config, lambda writer, config: layer_norm(writer, config, config.norm_epsilon), layer, OUTSIDE


def olmo():
    config = OlmoConfig(**SHARED, **SIZES, num_key_value_heads=2)
    outside = {name: module for name, module in OUTSIDE.items() if name != "output_norm"}
    return config, lambda writer, config: layer_norm(writer, config, 1e-5), {**ATTENTION, **MLP}, outside


def phi2():
    rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}
    config = PhiConfig(**SHARED, **SIZES, hidden_act="gelu_new", rope_parameters=rope)

    def keys(writer, config):
        writer.add_layer_norm_eps(config.layer_norm_eps)
        writer.add_rope_dimension_count(4)

    layer = {"attn_norm": "input_layernorm", **ATTENTION, "attn_output": "self_attn.dense", "ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2"}
    return config, keys, layer, {**OUTSIDE, "output_norm": "model.final_layernorm"}


def phi3():
    factors = {"short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.0, 2.0, 3.0, 4.0]}
    config = Phi3Config(
        **SHARED, **SIZES, num_key_value_heads=2, original_max_position_embeddings=16,
        rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0, **factors},
    )  # fmt: skip

    def keys(writer, config):
        rms(writer, config)
        writer.add_rope_dimension_count(8)
        writer.add_rope_scaling_orig_ctx_len(16)
        writer.add_rope_scaling_attn_factors((1 + np.log(4) / np.log(16)) ** 0.5)
        for which in ("short", "long"):
            writer.add_tensor("rope_factors_%s.weight" % which, np.array(factors["%s_factor" % which], dtype=np.float32))

    layer = {
        "attn_norm": "input_layernorm", "attn_qkv": "self_attn.qkv_proj", "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm", "ffn_up": "mlp.gate_up_proj", "ffn_down": "mlp.down_proj",
    }  # fmt: skip
    return config, keys, layer, OUTSIDE


def gptneox():
    rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}
    config = GPTNeoXConfig(**SHARED, **SIZES, rope_parameters=rope)

    def keys(writer, config):
        writer.add_layer_norm_eps(config.layer_norm_eps)
        writer.add_rope_dimension_count(4)
        writer.add_parallel_residual(True)

    layer = {
        "attn_norm": "input_layernorm", "attn_qkv": "attention.query_key_value", "attn_output": "attention.dense",
        "ffn_norm": "post_attention_layernorm", "ffn_up": "mlp.dense_h_to_4h", "ffn_down": "mlp.dense_4h_to_h",
    }  # fmt: skip
    outside = {"token_embd": "gpt_neox.embed_in", "output_norm": "gpt_neox.final_layer_norm", "output": "embed_out"}
    return config, keys, layer, outside


def lfm2():
    """The keys and value heads of layers with a convolution are 0, and the names of layers' modules differ."""
    layer_types = ["conv", "full_attention", "conv"]
    config = Lfm2Config(
        **SHARED, **(SIZES | {"num_hidden_layers": 3}), num_key_value_heads=2, layer_types=layer_types, block_auto_adjust_ff_dim=False
    )

    def keys(writer, config):
        writer.add_layer_norm_rms_eps(config.norm_eps)
        writer.add_head_count_kv([2 if kind == "full_attention" else 0 for kind in layer_types])
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        writer.add_vocab_size(config.vocab_size)
        writer.add_shortconv_l_cache(config.conv_L_cache)

    layer = {
        "attn_norm": "operator_norm", **ATTENTION, "attn_output": "self_attn.out_proj", "attn_q_norm": "self_attn.q_layernorm",
        "attn_k_norm": "self_attn.k_layernorm", "shortconv.in_proj": "conv.in_proj", "shortconv.conv": "conv.conv",
        "shortconv.out_proj": "conv.out_proj", "ffn_norm": "ffn_norm", "ffn_gate": "feed_forward.w1", "ffn_up": "feed_forward.w3",
        "ffn_down": "feed_forward.w2",
    }  # fmt: skip
    return config, keys, layer, {"token_embd": "model.embed_tokens", "token_embd_norm": "model.embedding_norm", "output": "lm_head"}


def gemma():
    return GemmaConfig(**SHARED, **SIZES, num_key_value_heads=1, head_dim=16), ernie4_5()[1], LLAMA, OUTSIDE


def glm_keys(writer, config):
    rms(writer, config)
    writer.add_rope_dimension_count(4)


GLM = {**LLAMA, "ffn_up": "mlp.gate_up_proj", "post_attention_norm": "post_self_attn_layernorm", "post_ffw_norm": "post_mlp_layernorm"}


def chatglm():
    return GlmConfig(**SHARED, **SIZES, num_key_value_heads=2, head_dim=8), glm_keys, GLM, OUTSIDE


def glm4():
    return Glm4Config(**SHARED, **SIZES, num_key_value_heads=2, head_dim=8), glm_keys, GLM, OUTSIDE


def cohere_keys(writer, config):
    layer_norm(writer, config, config.layer_norm_eps)
    writer.add_logit_scale(config.logit_scale)
    writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)


def command_r():
    return CohereConfig(**SHARED, **SIZES, num_key_value_heads=2, logit_scale=0.25), cohere_keys, LLAMA, OUTSIDE


def cohere2():
    """The first three layers have a window; the last one has no rotary positions."""
    config = Cohere2Config(**SHARED, **(SIZES | {"num_hidden_layers": 4}), num_key_value_heads=2, logit_scale=0.25, sliding_window=7)

    def keys(writer, config):
        cohere_keys(writer, config)
        writer.add_sliding_window(7)
        writer.add_vocab_size(config.vocab_size)
        writer.add_rope_dimension_count(8)

    return config, keys, LLAMA, OUTSIDE


def seed_oss():
    config = SeedOssConfig(**SHARED, **SIZES, num_key_value_heads=2, head_dim=8)
    return config, rms, {**LLAMA, "post_attention_norm": "post_attention_layernorm", "ffn_norm": "none"}, OUTSIDE


def arcee():
    return ArceeConfig(**SHARED, **SIZES, num_key_value_heads=2), rms, LLAMA, OUTSIDE


def starcoder():
    """One head of keys and values."""
    config = GPTBigCodeConfig(**SHARED, **SIZES, n_inner=64)

    def keys(writer, config):
        writer.add_head_count_kv(1)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)

    layer = {
        "attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_norm": "ln_2", "ffn_up": "mlp.c_fc",
        "ffn_down": "mlp.c_proj",
    }  # fmt: skip
    outside = {"token_embd": "transformer.wte", "position_embd": "transformer.wpe", "output_norm": "transformer.ln_f", "output": "lm_head"}
    return config, keys, layer, outside


ARCHITECTURES = {
    "gemma2": gemma2, "smollm3": smollm3, "olmo2": olmo2, "granite": granite, "phi2": phi2, "phi3": phi3, "gptneox": gptneox,
    "lfm2": lfm2, "ernie4_5": ernie4_5, "hunyuan-dense": hunyuan, "exaone4": exaone4,
    "stablelm": stablelm, "starcoder2": starcoder2, "olmo": olmo, "gemma": gemma, "chatglm": chatglm, "glm4": glm4, "command-r": command_r,
    "cohere2": cohere2, "seed_oss": seed_oss, "arcee": arcee, "starcoder": starcoder,
}  # fmt: skip


def reordered(architecture, short, values, config):
    """The rows as llama.cpp's converter puts them."""
    if architecture in ("smollm3", "granite", "olmo", "arcee") and short in ("attn_q", "attn_k"):
        return permuted(values, config.num_attention_heads if short == "attn_q" else config.num_key_value_heads)
    if architecture == "gptneox" and short == "attn_qkv":
        heads = config.num_attention_heads
        return values.reshape(heads, 3, -1, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)
    return values


def write(architecture, seed):
    config, keys, layer, outside = ARCHITECTURES[architecture]()
    model = randomise(AutoModelForCausalLM.from_config(config), seed)
    plus_one = architecture in ("gemma", "gemma2")
    model = norms_around_zero(model) if plus_one else model
    folder = fresh(architecture + "-gguf")
    writer = gguf.GGUFWriter(folder / "model.gguf", architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    keys(writer, config)
    tokenizer = byte_level_bpe()
    ids = tokenizer.get_vocab()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(sorted(ids, key=ids.get))
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * 297)
    writer.add_token_merges([" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)

    modules = dict(outside)
    if config.tie_word_embeddings:
        del modules["output"]
    prefix = outside["token_embd"].rsplit(".", 1)[0] + (".h" if architecture == "starcoder" else ".layers")
    for i in range(config.num_hidden_layers):
        modules |= {"blk.%d.%s" % (i, short): "%s.%d.%s" % (prefix, i, long) for short, long in layer.items()}
    kinds = [TYPES.Q8_0, TYPES.F16, TYPES.Q4_1]
    has = {name for name, _ in model.named_modules()}
    modules = {name: long for name, long in modules.items() if name == "output" or long in has}
    for number, (name, long) in enumerate(modules.items()):
        short = name.rsplit(".")[-1]
        module = model.get_output_embeddings() if short == "output" else model.get_submodule(long)
        if getattr(module, "bias", None) is not None:
            bias = reordered(architecture, short, module.bias.detach().numpy(), config)
            writer.add_tensor(name + ".bias", np.ascontiguousarray(bias))
        values = module.weight.detach().numpy()
        if values.ndim == 1:
            writer.add_tensor(name + ".weight", values + np.float32(plus_one))
            continue
        if values.ndim == 3:
            writer.add_tensor(name + ".weight", np.ascontiguousarray(values[:, 0]))
            continue
        kind = kinds[number % len(kinds)]
        stored = gguf.quantize(np.ascontiguousarray(values), kind)
        with torch.no_grad():
            module.weight.copy_(torch.from_numpy(gguf.dequantize(stored, kind).reshape(values.shape).copy()))
        writer.add_tensor(name + ".weight", np.ascontiguousarray(reordered(architecture, short, stored, config)), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    cases = random_cases(300, (1, 24), seed)
    write_cases(folder, cases)
    write_expected(folder, model, cases)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for number, name in enumerate(ARCHITECTURES):
        if name in (sys.argv[1:] or ARCHITECTURES):
            write(name, 400 + number)
