"""Write the golden models of more families: tiny random transformers and the logits that transformers gives for them.

    python tests/golden/families.py                 all of them
    python tests/golden/families.py distilbert      some of them

Folders and sizes are as in generate.py.
"""

import sys

import torch
import transformers
from generate import FEW_LENGTHS, HERE, MORE_LENGTHS, golden, json, load_file, norms_around_zero, randomise
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    ArceeConfig,
    ArceeForCausalLM,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    Cohere2Config,
    Cohere2ForCausalLM,
    CohereConfig,
    CohereForCausalLM,
    Data2VecTextConfig,
    Data2VecTextForMaskedLM,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    Ernie4_5Config,
    Ernie4_5ForCausalLM,
    ErnieConfig,
    ErnieForMaskedLM,
    EuroBertConfig,
    EuroBertForMaskedLM,
    Exaone4Config,
    Exaone4ForCausalLM,
    GemmaConfig,
    GemmaForCausalLM,
    Glm4Config,
    Glm4ForCausalLM,
    GlmConfig,
    GlmForCausalLM,
    GPTBigCodeConfig,
    GPTBigCodeForCausalLM,
    GPTJConfig,
    GPTJForCausalLM,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    GraniteMoeHybridConfig,
    GraniteMoeHybridForCausalLM,
    HeliumConfig,
    HeliumForCausalLM,
    HunYuanDenseV1Config,
    HunYuanDenseV1ForCausalLM,
    Lfm2Config,
    Lfm2ForCausalLM,
    MegatronBertConfig,
    MegatronBertForMaskedLM,
    Ministral3Config,
    Ministral3ForCausalLM,
    MinistralConfig,
    MinistralForCausalLM,
    ModernBertConfig,
    ModernBertDecoderConfig,
    ModernBertDecoderForCausalLM,
    ModernBertForMaskedLM,
    MPNetConfig,
    MPNetForMaskedLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    Olmo3Config,
    Olmo3ForCausalLM,
    OlmoConfig,
    OlmoForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaPreLayerNormConfig,
    RobertaPreLayerNormForMaskedLM,
    SeedOssConfig,
    SeedOssForCausalLM,
    SmolLM3Config,
    SmolLM3ForCausalLM,
    StableLmConfig,
    StableLmForCausalLM,
    Starcoder2Config,
    Starcoder2ForCausalLM,
    VaultGemmaConfig,
    VaultGemmaForCausalLM,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)


def distilbert():
    config = DistilBertConfig(
        vocab_size=61, dim=30, n_layers=2, n_heads=3, hidden_dim=46, max_position_embeddings=160, pad_token_id=0,
        attn_implementation="eager",
    )  # fmt: skip
    return DistilBertForMaskedLM(config)


def xlm_roberta():
    config = XLMRobertaConfig(
        vocab_size=61, hidden_size=20, num_hidden_layers=1, num_attention_heads=2, intermediate_size=26,
        max_position_embeddings=140, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        attn_implementation="eager",
    )  # fmt: skip
    return XLMRobertaForMaskedLM(config)


DECODER = dict(vocab_size=61, max_position_embeddings=160, bos_token_id=1, eos_token_id=2, attn_implementation="eager")


def modernbert():
    """Four layers. The first and the last see everything, and the others have windows of 6 tokens on each side."""
    config = ModernBertConfig(
        vocab_size=61, hidden_size=36, num_hidden_layers=4, num_attention_heads=3, intermediate_size=26, local_attention=12,
        max_position_embeddings=160, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2,
        attn_implementation="eager",
    )  # fmt: skip
    return ModernBertForMaskedLM(config)


def gpt_neox():
    """Four of the ten columns of each head are rotated."""
    config = GPTNeoXConfig(
        hidden_size=30, num_hidden_layers=2, num_attention_heads=3, intermediate_size=46, pad_token_id=0,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.4}, **DECODER,
    )  # fmt: skip
    return GPTNeoXForCausalLM(config)


def gpt_neox_sequential():
    """Without a parallel residual and without biases in attention; the head is the embedding."""
    config = GPTNeoXConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=28, use_parallel_residual=False,
        attention_bias=False, tie_word_embeddings=True, hidden_act="gelu_new", pad_token_id=0, **DECODER,
    )  # fmt: skip
    return GPTNeoXForCausalLM(config)


def smollm3():
    """Every second layer has no rotary positions."""
    config = SmolLM3Config(
        hidden_size=24, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, intermediate_size=28,
        no_rope_layer_interval=2, rope_parameters={"rope_type": "default", "rope_theta": 5000000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return SmolLM3ForCausalLM(config)


def olmo2():
    config = Olmo2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=28,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return Olmo2ForCausalLM(config)


def granite():
    config = GraniteConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=28,
        embedding_multiplier=12.0, logits_scaling=8.0, residual_multiplier=0.22, attention_multiplier=0.3,
        tie_word_embeddings=True, attention_bias=True, mlp_bias=True, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return GraniteForCausalLM(config)


def phi3():
    """LongRoPE beyond texts of 32 tokens, and a window; the width of the MLP is odd."""
    config = Phi3Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=27,
        original_max_position_embeddings=32, sliding_window=50, pad_token_id=0, **DECODER,
        rope_parameters={
            "rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0, 1.1, 1.3],
            "long_factor": [1.0, 2.5, 4.0],
        },
    )  # fmt: skip
    return Phi3ForCausalLM(config)


def electra():
    """Embeddings of 20 columns beside hidden states of 30."""
    config = ElectraConfig(
        vocab_size=61, embedding_size=20, hidden_size=30, num_hidden_layers=2, num_attention_heads=3, intermediate_size=46,
        max_position_embeddings=160, pad_token_id=0, attn_implementation="eager",
    )  # fmt: skip
    return ElectraForMaskedLM(config)


def electra_wide():
    """Embeddings that are wider than the hidden states, as those of electra-base-generator; another activation than the head's."""
    config = ElectraConfig(
        vocab_size=61, embedding_size=28, hidden_size=20, num_hidden_layers=1, num_attention_heads=2, intermediate_size=26,
        max_position_embeddings=140, hidden_act="relu", pad_token_id=0, attn_implementation="eager",
    )  # fmt: skip
    return ElectraForMaskedLM(config)


def roberta_relu():
    """The head has GELU, whatever the layers have."""
    config = RobertaConfig(
        vocab_size=61, hidden_size=20, num_hidden_layers=1, num_attention_heads=2, intermediate_size=26,
        max_position_embeddings=140, type_vocab_size=1, hidden_act="relu", pad_token_id=1, attn_implementation="eager",
    )  # fmt: skip
    return RobertaForMaskedLM(config)


def lfm2():
    """Two convolutions over three tokens, one of them the last layer; the number of inner columns is not a multiple of 4."""
    config = Lfm2Config(
        hidden_size=30, num_hidden_layers=4, num_attention_heads=3, num_key_value_heads=1, intermediate_size=46,
        block_auto_adjust_ff_dim=False, layer_types=["conv", "full_attention", "full_attention", "conv"],
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return Lfm2ForCausalLM(config)


def lfm2_biased():
    """A convolution over four tokens with biases, a separate head, and an MLP whose width is computed."""
    config = Lfm2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=50, conv_bias=True,
        conv_L_cache=4, block_multiple_of=8, layer_types=["conv", "full_attention"], tie_word_embeddings=False, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return Lfm2ForCausalLM(config)


def ernie():
    """Adjacent columns of a head are rotated together; the heads together are wider than the hidden states."""
    config = Ernie4_5Config(
        hidden_size=28, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=30,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return Ernie4_5ForCausalLM(config)


def hunyuan():
    """Norms after rotary positions, whose base alpha raises from 100 to 3830."""
    config = HunYuanDenseV1Config(
        hidden_size=28, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=30,
        rope_parameters={"rope_type": "dynamic", "rope_theta": 100.0, "alpha": 18.48, "factor": 1.0, "beta_fast": 32, "beta_slow": 1},
        tie_word_embeddings=True, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return HunYuanDenseV1ForCausalLM(config)


def exaone4():
    """Windows of 12 in the first and the third layer; the second and the fourth see everything, and have no rotary positions."""
    config = Exaone4Config(
        hidden_size=28, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=30,
        sliding_window=12, sliding_window_pattern=2, rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        pad_token_id=0, **DECODER,
    )  # fmt: skip
    return Exaone4ForCausalLM(config)


def stablelm():
    """Four of the ten columns of each head are rotated; queries, keys and values have biases."""
    config = StableLmConfig(
        hidden_size=30, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1, intermediate_size=46, use_qkv_bias=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.4}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return StableLmForCausalLM(config)


def stablelm_parallel():
    """Attention and MLP read the same normalized input."""
    config = StableLmConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, intermediate_size=28,
        use_parallel_residual=True, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return StableLmForCausalLM(config)


def gpt_neo():
    """A window of 12 in the second and the fourth layer; scores are not scaled."""
    config = GPTNeoConfig(
        hidden_size=30, num_layers=4, num_heads=3, intermediate_size=46, attention_types=[[["global", "local"], 2]], window_size=12,
        pad_token_id=0, **DECODER,
    )  # fmt: skip
    return GPTNeoForCausalLM(config)


def starcoder2():
    """A window in every layer."""
    config = Starcoder2Config(
        hidden_size=30, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1, intermediate_size=46, sliding_window=12,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return Starcoder2ForCausalLM(config)


def olmo():
    """Norms without weights."""
    config = OlmoConfig(
        hidden_size=30, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1, intermediate_size=46,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return OlmoForCausalLM(config)


def granite4():
    """Without experts and without Mamba layers: the width of the MLP is that of the shared expert."""
    config = GraniteMoeHybridConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=50, shared_intermediate_size=27,
        layer_types=["full_attention"] * 2, num_local_experts=0, num_experts_per_tok=0, position_embedding_type="rope", mamba_n_heads=48,
        embedding_multiplier=12.0, logits_scaling=4.0, residual_multiplier=0.25, attention_multiplier=0.3, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10000000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return GraniteMoeHybridForCausalLM(config)


def modernbert_decoder():
    """A window of 6 tokens in two layers of four; the head has a dense layer and a norm."""
    config = ModernBertDecoderConfig(
        hidden_size=36, num_hidden_layers=4, num_attention_heads=3, intermediate_size=26, local_attention=12, pad_token_id=0,
        cls_token_id=1, sep_token_id=2, **DECODER,
    )  # fmt: skip
    return ModernBertDecoderForCausalLM(config)


def gemma():
    """Embeddings are multiplied by the root of 28; norms multiply by 1 + weight."""
    config = GemmaConfig(
        hidden_size=28, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=1, head_dim=10, intermediate_size=30,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return GemmaForCausalLM(config)


def glm():
    """Six of the twelve columns of each head are rotated, adjacent ones together."""
    config = GlmConfig(
        hidden_size=28, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=12, intermediate_size=30,
        pad_token_id=0, **DECODER,
    )  # fmt: skip
    return GlmForCausalLM(config)


def glm4():
    """Norms on the inputs and outputs of sublayers; the width of the MLP is odd."""
    config = Glm4Config(
        hidden_size=28, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=12, intermediate_size=27,
        pad_token_id=0, **DECODER,
    )  # fmt: skip
    return Glm4ForCausalLM(config)


def olmo3():
    """Windows of 12 in three layers of four, and linear scaling in the fourth."""
    config = Olmo3Config(
        hidden_size=24, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, intermediate_size=28, sliding_window=12,
        rope_parameters={
            "full_attention": {"rope_type": "linear", "rope_theta": 500000.0, "factor": 4.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
        pad_token_id=0, **DECODER,
    )  # fmt: skip
    return Olmo3ForCausalLM(config)


def ministral():
    """A window of 12 in the first layer."""
    config = MinistralConfig(
        hidden_size=28, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=30,
        sliding_window=12, layer_types=["sliding_attention", "full_attention"],
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return MinistralForCausalLM(config)


def ministral3():
    """YaRN, with a factor for queries beyond 64 tokens."""
    config = Ministral3Config(
        hidden_size=28, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=30,
        rope_parameters={
            "rope_type": "yarn", "rope_theta": 1000000.0, "factor": 16.0, "original_max_position_embeddings": 64, "beta_fast": 32.0,
            "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1,
        },
        pad_token_id=0, **DECODER,
    )  # fmt: skip
    return Ministral3ForCausalLM(config)


def seed_oss():
    config = SeedOssConfig(
        hidden_size=28, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=30,
        rope_parameters={"rope_type": "default", "rope_theta": 10000000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return SeedOssForCausalLM(config)


def arcee():
    """An MLP without a gate, with squared ReLUs."""
    config = ArceeConfig(
        hidden_size=28, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=30,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return ArceeForCausalLM(config)


def helium():
    """Adjacent columns of a head are rotated together."""
    config = HeliumConfig(
        hidden_size=40, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=30,
        pad_token_id=0, **DECODER,
    )  # fmt: skip
    return HeliumForCausalLM(config)


def cohere():
    """Attention and MLP read the same normalized input; logits are multiplied by 0.25."""
    config = CohereConfig(
        hidden_size=30, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1, intermediate_size=46, logit_scale=0.25,
        pad_token_id=0, **DECODER,
    )  # fmt: skip
    return CohereForCausalLM(config)


def cohere2():
    """Windows of 12 in three layers; the fourth sees everything, and has no rotary positions."""
    config = Cohere2Config(
        hidden_size=24, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, intermediate_size=28, logit_scale=0.25,
        sliding_window=12, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return Cohere2ForCausalLM(config)


def vaultgemma():
    """Like Gemma 2, but with norms on the inputs of sublayers only."""
    config = VaultGemmaConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=28,
        query_pre_attn_scalar=12, sliding_window=12, attn_logit_softcapping=2.0, final_logit_softcapping=3.0, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return VaultGemmaForCausalLM(config)


def gpt_bigcode():
    """A single head of keys and values, with 10 columns."""
    config = GPTBigCodeConfig(
        vocab_size=61, n_embd=30, n_layer=2, n_head=3, n_inner=46, n_positions=160, bos_token_id=1, eos_token_id=2, pad_token_id=0,
        attn_implementation="eager",
    )  # fmt: skip
    return GPTBigCodeForCausalLM(config)


def gpt_bigcode_by_head():
    """Queries, keys and values head by head."""
    config = GPTBigCodeConfig(
        vocab_size=61, n_embd=24, n_layer=1, n_head=2, n_inner=28, n_positions=140, multi_query=False, bos_token_id=1, eos_token_id=2,
        pad_token_id=0, attn_implementation="eager",
    )  # fmt: skip
    return GPTBigCodeForCausalLM(config)


def gptj():
    """Six of the ten columns of each head are rotated, adjacent ones together; the head has a bias."""
    config = GPTJConfig(
        vocab_size=61, n_embd=30, n_layer=2, n_head=3, n_inner=46, n_positions=160, rotary_dim=6, bos_token_id=1, eos_token_id=2,
        pad_token_id=0, attn_implementation="eager",
    )  # fmt: skip
    return GPTJForCausalLM(config)


ENCODER = dict(
    vocab_size=61, hidden_size=20, num_hidden_layers=1, num_attention_heads=2, intermediate_size=26, max_position_embeddings=140,
    attn_implementation="eager",
)  # fmt: skip


def data2vec_text():
    return Data2VecTextForMaskedLM(Data2VecTextConfig(type_vocab_size=1, pad_token_id=1, **ENCODER))


def ernie_encoder():
    return ErnieForMaskedLM(ErnieConfig(pad_token_id=0, **ENCODER))


def ernie_tasks():
    """A row for the task type 0 is added to every token."""
    return ErnieForMaskedLM(ErnieConfig(pad_token_id=0, use_task_id=True, task_type_vocab_size=3, type_vocab_size=4, **ENCODER))


def megatron_bert():
    """Norms before the sublayers, and no norm of the embeddings."""
    return MegatronBertForMaskedLM(MegatronBertConfig(pad_token_id=0, **(ENCODER | {"num_hidden_layers": 2})))


def roberta_prelayernorm():
    """Norms before the sublayers, and a norm of the embeddings."""
    config = RobertaPreLayerNormConfig(pad_token_id=1, type_vocab_size=1, **(ENCODER | {"num_hidden_layers": 2}))
    return RobertaPreLayerNormForMaskedLM(config)


def mpnet():
    """A bias for each distance of two tokens, beside learned positions. A `pad_token_id` that is not 1 changes nothing."""
    config = MPNetConfig(pad_token_id=0, **(ENCODER | {"max_position_embeddings": 160, "num_hidden_layers": 2}))
    return MPNetForMaskedLM(config)


def deberta(**extra):
    """Disentangled attention, whose buckets are shared by distances beyond 4."""
    config = DebertaV2Config(
        relative_attention=True, share_att_key=True, pos_att_type=["p2c", "c2p"], pad_token_id=0,
        **(ENCODER | {"num_hidden_layers": 2, "max_position_embeddings": 160} | extra),
    )  # fmt: skip
    return DebertaV2ForMaskedLM(config)


def deberta_v3():
    """As DeBERTa-v3: no learned positions, no types, and a norm of the embeddings of distances."""
    return deberta(position_biased_input=False, type_vocab_size=0, norm_rel_ebd="layer_norm", position_buckets=8)


def deberta_v2():
    """Learned positions, types, one row for each distance, which are clipped, and the head with Microsoft's names."""
    return deberta(type_vocab_size=2, max_relative_positions=12, legacy=False, hidden_act="relu")


def eurobert():
    """Llama's layers with biases, over all tokens, and a head with a bias."""
    config = EuroBertConfig(
        hidden_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=30, mlp_bias=True,
        rope_parameters={"rope_type": "default", "rope_theta": 250000.0}, pad_token_id=0, **DECODER,
    )  # fmt: skip
    return EuroBertForMaskedLM(config)


def albert():
    """Five executions of two groups of layers: the first group is executed three times."""
    config = AlbertConfig(
        num_hidden_groups=2, embedding_size=14, pad_token_id=0,
        **(ENCODER | {"num_hidden_layers": 5, "hidden_act": "gelu_new", "max_position_embeddings": 160}),
    )  # fmt: skip
    return AlbertForMaskedLM(config)


def albert_inner():
    """One group of two layers, embeddings of the hidden width, which are projected nevertheless, and an untied head."""
    config = AlbertConfig(
        inner_group_num=2, embedding_size=ENCODER["hidden_size"], tie_word_embeddings=False, pad_token_id=0,
        **(ENCODER | {"num_hidden_layers": 2, "hidden_act": "relu"}),
    )  # fmt: skip
    return AlbertForMaskedLM(config)


# The name of each folder, its model, and the lengths of its texts.
GOLDENS = {
    "distilbert": (distilbert, MORE_LENGTHS),
    "xlm-roberta": (xlm_roberta, FEW_LENGTHS),
    "modernbert": (modernbert, MORE_LENGTHS),
    "gpt-neox": (gpt_neox, MORE_LENGTHS),
    "gpt-neox-sequential": (gpt_neox_sequential, FEW_LENGTHS),
    "smollm3": (smollm3, MORE_LENGTHS),
    "olmo2": (olmo2, FEW_LENGTHS),
    "granite": (granite, FEW_LENGTHS),
    "phi3": (phi3, MORE_LENGTHS),
    "electra": (electra, MORE_LENGTHS),
    "electra-wide": (electra_wide, FEW_LENGTHS),
    "roberta-relu": (roberta_relu, FEW_LENGTHS),
    "lfm2": (lfm2, MORE_LENGTHS),
    "lfm2-biased": (lfm2_biased, FEW_LENGTHS),
    "ernie": (ernie, MORE_LENGTHS),
    "hunyuan": (hunyuan, MORE_LENGTHS),
    "exaone4": (exaone4, MORE_LENGTHS),
    "stablelm": (stablelm, MORE_LENGTHS),
    "stablelm-parallel": (stablelm_parallel, FEW_LENGTHS),
    "gpt-neo": (gpt_neo, MORE_LENGTHS),
    "starcoder2": (starcoder2, MORE_LENGTHS),
    "olmo": (olmo, FEW_LENGTHS),
    "granite4": (granite4, FEW_LENGTHS),
    "modernbert-decoder": (modernbert_decoder, MORE_LENGTHS),
    "gemma": (gemma, FEW_LENGTHS),
    "glm": (glm, FEW_LENGTHS),
    "glm4": (glm4, FEW_LENGTHS),
    "olmo3": (olmo3, FEW_LENGTHS),
    "ministral": (ministral, FEW_LENGTHS),
    "ministral3": (ministral3, FEW_LENGTHS),
    "seed-oss": (seed_oss, FEW_LENGTHS),
    "arcee": (arcee, FEW_LENGTHS),
    "helium": (helium, FEW_LENGTHS),
    "cohere": (cohere, FEW_LENGTHS),
    "cohere2": (cohere2, FEW_LENGTHS),
    "vaultgemma": (vaultgemma, FEW_LENGTHS),
    "gpt-bigcode": (gpt_bigcode, FEW_LENGTHS),
    "gpt-bigcode-by-head": (gpt_bigcode_by_head, FEW_LENGTHS),
    "gptj": (gptj, FEW_LENGTHS),
    "data2vec-text": (data2vec_text, FEW_LENGTHS),
    "ernie-encoder": (ernie_encoder, FEW_LENGTHS),
    "megatron-bert": (megatron_bert, FEW_LENGTHS),
    "roberta-prelayernorm": (roberta_prelayernorm, FEW_LENGTHS),
    "mpnet": (mpnet, (*MORE_LENGTHS, 150)),
    "deberta-v3": (deberta_v3, (*MORE_LENGTHS, 150)),
    "deberta-v2": (deberta_v2, FEW_LENGTHS),
    "ernie-tasks": (ernie_tasks, FEW_LENGTHS),
    "eurobert": (eurobert, MORE_LENGTHS),
    "albert": (albert, MORE_LENGTHS),
    "albert-inner": (albert_inner, FEW_LENGTHS),
}


def check(folder):
    """Asserts that the written files, read back by transformers, give the logits that were written."""
    config = json.loads((folder / "config.json").read_text())
    kind = AutoModelForMaskedLM if "MaskedLM" in config["architectures"][0] else AutoModelForCausalLM
    model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    expected = load_file(folder / "expected.safetensors")
    with torch.no_grad():
        for i, ids in enumerate(json.loads((folder / "cases.json").read_text())["ids"]):
            gap = (model(input_ids=torch.tensor([ids])).logits[0] - expected["logits_%d" % i]).abs().max()
            assert gap < 1e-5, (folder.name, i, gap)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    for number, (name, (model, lengths)) in enumerate(GOLDENS.items()):
        if name in (sys.argv[1:] or GOLDENS):
            drawn = randomise(model(), 200 + number)
            drawn = norms_around_zero(drawn) if "gemma" in name else drawn
            golden(name, drawn, 300 + number, lengths)
            check(HERE / name)
