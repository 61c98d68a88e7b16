"""Write the golden models: tiny random transformers and the logits that Hugging Face transformers gives for them.

    python tests/golden/generate.py            all of them
    python tests/golden/generate.py bert opt   some of them

README.md beside this file says what each folder holds. Sizes are odd on purpose: heads of 6, 7, 10 and 12, vocabularies
that are primes, lengths of 1 and 3 and just past a power of two. Weights are an order larger than a fresh
initialisation, and biases and norms are random too, so that a missing term shows in the logits.
"""

import csv
import json
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from formats import F16S
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

HERE = Path(__file__).resolve().parent
LENGTHS = (1, 3, 7, 17, 33, 65, 128)
FEW_LENGTHS = (1, 7, 33)  # where the point is the file format, not the transformer
UNTIED_LENGTHS = (1, 3, 7, 33, 128)  # a little fewer, for the repository's size
MORE_LENGTHS = (1, 7, 33, 128)  # where long texts matter too, as for windows
FIRST_ORDINARY_ID = 5  # below are padding and other special tokens, which change positions in some families


# --- models -------------------------------------------------------------------------------------------------------


def randomise(model, seed):
    """Every parameter random: matrices 0.2, biases 0.2, norm weights around 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = 0.2 * torch.randn(parameter.shape, generator=generator)
            is_norm_weight = parameter.dim() == 1 and name.endswith("weight")
            parameter.copy_(1 + values if is_norm_weight else values)
    return model.eval()


def bert():
    config = BertConfig(
        vocab_size=97, hidden_size=36, num_hidden_layers=2, num_attention_heads=3, intermediate_size=44,
        max_position_embeddings=160, type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12, pad_token_id=0,
        hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, attn_implementation="eager",
    )  # fmt: skip
    return randomise(BertForMaskedLM(config), 1)


def roberta():
    config = RobertaConfig(
        vocab_size=101, hidden_size=30, num_hidden_layers=2, num_attention_heads=3, intermediate_size=46,
        max_position_embeddings=162, type_vocab_size=1, hidden_act="gelu", layer_norm_eps=1e-5,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(RobertaForMaskedLM(config), 2)


def opt():
    config = OPTConfig(
        vocab_size=103, hidden_size=28, num_hidden_layers=2, num_attention_heads=4, ffn_dim=50,
        max_position_embeddings=160, word_embed_proj_dim=28, do_layer_norm_before=True, activation_function="relu",
        pad_token_id=1, bos_token_id=2, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(OPTForCausalLM(config), 3)


def opt_projected():
    """Like OPT-350m: norms after the residuals, no final norm, and embeddings narrower than the hidden states."""
    config = OPTConfig(
        vocab_size=61, hidden_size=28, num_hidden_layers=2, num_attention_heads=4, ffn_dim=50,
        max_position_embeddings=160, word_embed_proj_dim=20, do_layer_norm_before=False, activation_function="relu",
        pad_token_id=1, bos_token_id=2, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(OPTForCausalLM(config), 45)


def llama():
    config = LlamaConfig(
        vocab_size=97, hidden_size=36, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, head_dim=6,
        intermediate_size=58, max_position_embeddings=160, rms_norm_eps=1e-5, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(LlamaForCausalLM(config), 4)


def llama_untied():
    config = LlamaConfig(
        vocab_size=131, hidden_size=48, num_hidden_layers=1, num_attention_heads=6, num_key_value_heads=2, head_dim=8,
        intermediate_size=28, max_position_embeddings=160, rms_norm_eps=1e-6, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(LlamaForCausalLM(config), 5)


def gpt2():
    config = GPT2Config(
        vocab_size=103, n_embd=28, n_layer=2, n_head=4, n_positions=160, activation_function="gelu_new",
        bos_token_id=1, eos_token_id=1, attn_implementation="eager",
    )  # fmt: skip
    return randomise(GPT2LMHeadModel(config), 21)


def gpt2_hub():
    config = GPT2Config(
        vocab_size=103, n_embd=20, n_layer=1, n_head=2, n_inner=44, n_positions=48, layer_norm_epsilon=1e-3,
        bos_token_id=1, eos_token_id=1, attn_implementation="eager",
    )  # fmt: skip
    return randomise(GPT2LMHeadModel(config), 22)


def qwen3():
    """The heads together are wider than the hidden states: 4 heads of 14, hidden states of 40."""
    config = Qwen3Config(
        vocab_size=101, hidden_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=14,
        intermediate_size=52, max_position_embeddings=160, rms_norm_eps=1e-6, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(Qwen3ForCausalLM(config), 23)


def qwen3_untied():
    config = Qwen3Config(
        vocab_size=101, hidden_size=24, num_hidden_layers=1, num_attention_heads=6, num_key_value_heads=3, head_dim=8,
        intermediate_size=36, max_position_embeddings=160, rms_norm_eps=1e-5, tie_word_embeddings=False,
        attention_bias=True, use_sliding_window=False, max_window_layers=1,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(Qwen3ForCausalLM(config), 24)


def llama3():
    """Llama 3.2's rotary scaling, in proportion to the lengths that are tested; its heads have all three kinds of frequencies."""
    config = LlamaConfig(
        vocab_size=61, hidden_size=24, num_hidden_layers=1, num_attention_heads=3, num_key_value_heads=1, head_dim=16,
        intermediate_size=20, max_position_embeddings=160, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters={
            "rope_type": "llama3", "rope_theta": 1000.0, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        },
        bos_token_id=1, eos_token_id=[2, 3], attn_implementation="eager",
    )  # fmt: skip
    return randomise(LlamaForCausalLM(config), 27)


def qwen2():
    config = Qwen2Config(
        vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=28, max_position_embeddings=160, rms_norm_eps=1e-6, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        use_sliding_window=True, sliding_window=12, max_window_layers=1,
        bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(Qwen2ForCausalLM(config), 28)


def mistral():
    config = MistralConfig(
        vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=28, max_position_embeddings=160, rms_norm_eps=1e-5, sliding_window=12, tie_word_embeddings=False,
        bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(MistralForCausalLM(config), 29)


def norms_around_zero(model):
    """Gemma multiplies by 1 + weight, so its norm weights are spread around 0."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1 and name.endswith("weight"):
                parameter.sub_(1)
    return model


def gemma2():
    """Windows of 12 in every second layer, from the first on; soft caps on scores and on logits."""
    config = Gemma2Config(
        vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=10,
        intermediate_size=28, max_position_embeddings=160, rms_norm_eps=1e-6, query_pre_attn_scalar=7, sliding_window=12,
        attn_logit_softcapping=0.7, final_logit_softcapping=4.0,
        pad_token_id=0, bos_token_id=2, eos_token_id=1, attn_implementation="eager",
    )  # fmt: skip
    return norms_around_zero(randomise(Gemma2ForCausalLM(config), 42))


def phi():
    """Half of each head is rotated; attention and MLP read the same normalized input."""
    config = PhiConfig(
        vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=28,
        max_position_embeddings=160, layer_norm_eps=1e-5, hidden_act="gelu_new", tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
        bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    return randomise(PhiForCausalLM(config), 43)


def gemma3():
    """Windows of 16 in two layers of three, each kind of layer with its own rotary base, linear scaling in the full one."""
    config = Gemma3TextConfig(
        vocab_size=101, hidden_size=28, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=10,
        intermediate_size=42, max_position_embeddings=160, rms_norm_eps=1e-6, query_pre_attn_scalar=7, sliding_window=16,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
        },
        pad_token_id=0, bos_token_id=2, eos_token_id=1, attn_implementation="eager",
    )  # fmt: skip
    return norms_around_zero(randomise(Gemma3ForCausalLM(config), 25))


def gemma3_hub():
    """Six layers, the last of which sees everything, and logits with a soft cap. Gemma 3 has no cap on scores, whatever its field says."""
    config = Gemma3TextConfig(
        vocab_size=67, hidden_size=12, num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
        intermediate_size=20, max_position_embeddings=160, rms_norm_eps=1e-6, query_pre_attn_scalar=8, sliding_window=8,
        final_logit_softcapping=4.0, attn_logit_softcapping=0.5,
        pad_token_id=0, bos_token_id=2, eos_token_id=1, attn_implementation="eager",
    )  # fmt: skip
    return norms_around_zero(randomise(Gemma3ForCausalLM(config), 26))


# --- writing ------------------------------------------------------------------------------------------------------


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def compact_ids(cases):
    """Token ids on one line a case."""
    lines = ",\n".join("  " + json.dumps(ids) for ids in cases)
    return '"ids": [\n' + lines + "\n ]"


def write_cases(folder, cases, texts=()):
    body = "{\n " + compact_ids(cases)
    if texts:
        body += ',\n "texts": [\n' + ",\n".join("  " + json.dumps(t, ensure_ascii=False) for t in texts) + "\n ]"
    (folder / "cases.json").write_text(body + "\n}\n", encoding="utf-8")


def random_cases(vocab, lengths, seed):
    numbers = random.Random(seed)
    return [[numbers.randrange(FIRST_ORDINARY_ID, vocab) for _ in range(length)] for length in lengths]


def write_expected(folder, model, cases):
    logits = {}
    with torch.no_grad():
        for i, ids in enumerate(cases):
            logits["logits_%d" % i] = model(input_ids=torch.tensor([ids])).logits[0].float().contiguous()
    spread = float(logits["logits_%d" % (len(cases) - 1)].std())
    save_file(logits, folder / "expected.safetensors")
    print("%-14s %7d parameters, logits' standard deviation %.2f" % (folder.relative_to(HERE), model.num_parameters(), spread))


def fresh(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def save(model, folder, **options):
    model.save_pretrained(folder, **options)
    (folder / "generation_config.json").unlink(missing_ok=True)


def golden(name, model, seed, lengths=LENGTHS):
    folder = fresh(name)
    save(model, folder)
    cases = random_cases(model.config.vocab_size, lengths, seed)
    write_cases(folder, cases)
    write_expected(folder, model, cases)
    return folder


def old_style_config(folder):
    """Like most files on the hub, from before transformers 5 moved the fields: `rope_theta` at the top, and `torch_dtype`."""
    config = json.loads((folder / "config.json").read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["torch_dtype"] = config.pop("dtype")
    write_json(folder / "config.json", dict(sorted(config.items())))


def golden_gpt2_hub(seed):
    """As on the hub: no `transformer.` before the names, the causal mask stored as a tensor, no head."""
    folder = golden("gpt2-hub", gpt2_hub(), seed, FEW_LENGTHS)
    tensors = load_file(folder / "model.safetensors")
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    tensors["h.0.attn.bias"] = torch.ones(48, 48).tril().view(1, 1, 48, 48)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def golden_llama3(seed):
    """A `config.json` as on the hub: `rope_theta` at the top and `rope_scaling`."""
    folder = golden("llama3", llama3(), seed, MORE_LENGTHS)
    config = json.loads((folder / "config.json").read_text())
    config["rope_scaling"] = dict(config["rope_parameters"])
    del config["rope_scaling"]["rope_theta"]
    write_json(folder / "config.json", config)
    old_style_config(folder)


def golden_qwen2(seed):
    """A `config.json` as on the hub: only the number of layers says which layers have a window."""
    folder = golden("qwen2", qwen2(), seed, MORE_LENGTHS)
    old_style_config(folder)
    config = json.loads((folder / "config.json").read_text())
    del config["layer_types"]
    write_json(folder / "config.json", config)


def golden_qwen3_untied(seed):
    """A `config.json` as on the hub: a window with a field that turns it off, and no list of layer types."""
    folder = golden("qwen3-untied", qwen3_untied(), seed, UNTIED_LENGTHS)
    old_style_config(folder)
    config = json.loads((folder / "config.json").read_text())
    config["sliding_window"] = 16
    config["rope_scaling"] = None
    del config["layer_types"]
    write_json(folder / "config.json", dict(sorted(config.items())))


def golden_gemma3_hub(seed):
    """A `config.json` as on the hub before transformers 5: both rotary bases are at the top, and every sixth layer has full attention."""
    folder = golden("gemma3-hub", gemma3_hub(), seed, FEW_LENGTHS)
    config = json.loads((folder / "config.json").read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope["full_attention"]["rope_theta"]
    config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
    config["rope_scaling"] = None
    config["sliding_window_pattern"] = 6
    config["torch_dtype"] = config.pop("dtype")
    del config["layer_types"]
    write_json(folder / "config.json", dict(sorted(config.items())))


# --- bert's tokenizer and training file ---------------------------------------------------------------------------

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = (
    "great terrible good bad it was movie the . ! , real junk mail this is "
    "film plot acting story and of in to very so loved hated happy sad boring superb dull bright watch again we not one with"
).split()


def word_pieces():
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + letter for letter in LETTERS), *WORDS]
    assert len(vocabulary) == len(set(vocabulary)) == 97, len(vocabulary)
    ids = {token: i for i, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.add_special_tokens(vocabulary[:5])
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    return tokenizer


def training_rows():
    """Snippets whose adjective alone decides the label."""
    numbers = random.Random(6)
    adjectives = {"great": ["good", "superb", "happy", "bright"], "terrible": ["bad", "boring", "sad", "dull"]}
    verbs = {"great": "loved", "terrible": "hated"}
    rows = []
    for i in range(60):
        label = ("great", "terrible")[i % 2]
        first, second = numbers.sample(adjectives[label], 2)
        thing, other = numbers.sample(["movie", "film", "plot", "acting", "story"], 2)
        rows.append((numbers.choice([
            "The %s was %s, the %s %s." % (thing, first, other, second),
            "this is one very %s %s!" % (first, thing),
            "We %s the %s: so %s." % (verbs[label], thing, first),
            '"%s" and %s, a %s to watch again' % (first.capitalize(), second, thing),
            "The %s with the %s is %s" % (thing, other, first),
        ]), label))  # fmt: skip
    numbers.shuffle(rows)
    return rows


def golden_bert(seed):
    folder = golden("bert", bert(), seed)
    tokenizer = word_pieces()
    tokenizer.save(str(folder / "tokenizer.json"))
    with open(folder / "train.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text", "label"])
        writer.writerows(training_rows())
    texts = ["The movie was good. It was [MASK] .", "Überraschend, 7 zebras!", "", "junk   mail\nis REAL", "a" * 101, "映画 was great"]
    cases = json.loads((folder / "cases.json").read_text())["ids"]
    write_cases(folder, cases, [{"text": text, "ids": tokenizer.encode(text).ids} for text in texts])


# --- formats ------------------------------------------------------------------------------------------------------


def golden_sharded():
    folder = fresh("sharded")
    save(llama_untied(), folder, max_shard_size="40KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert 2 <= len(shards) <= 4, shards
    shutil.copy(HERE / "llama-untied/config.json", folder / "config.json")


def golden_half(seed):
    for name, dtype in (("f16", torch.float16), ("bf16", torch.bfloat16)):
        folder = fresh("half/" + name)
        model = bert().to(dtype)
        save(model, folder)
        model = model.to(torch.float32)  # the rounded weights, exactly
        cases = random_cases(97, FEW_LENGTHS, seed)
        write_cases(folder, cases)
        write_expected(folder, model, cases)


def byte_level_bpe():
    """A tokenizer like SmolLM2's: single digits, then GPT-2's byte-level pieces; 3 special + 256 bytes + 41 merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    text = "the capital of france is paris, and the capital of germany is berlin; it was a great movie and the story was good"
    tokenizer.train_from_iterator([text] * 4, trainer)
    return tokenizer


def permuted(weight, heads):
    """llama.cpp's order of the rows of q and k: rotary pairs are adjacent instead of half a head apart."""
    rows = weight.shape[0]
    return weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def unpermuted(weight, heads):
    rows = weight.shape[0]
    return weight.reshape(heads, rows // heads // 2, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def encoded(array, kind, seed):
    """The blocks of an array, or, where the gguf package cannot encode the format, blocks of random quants about as large."""
    import gguf

    try:
        return gguf.quantize(np.ascontiguousarray(array), kind)
    except NotImplementedError:
        length, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = np.random.default_rng(seed).integers(0, 256, (array.size // length, size), dtype=np.uint8)
        for at in F16S[kind.name]:
            blocks[:, at : at + 2] = np.ones((len(blocks), 1), "<f2").view(np.uint8)
        scale = array.std() / gguf.dequantize(blocks, kind).std()
        for at in F16S[kind.name]:
            blocks[:, at : at + 2] = np.full((len(blocks), 1), scale, "<f2").view(np.uint8)
        return blocks.reshape(array.shape[0], -1)


def golden_gguf(seed):
    import gguf

    types = gguf.GGMLQuantizationType
    layers = [
        {"attn_q": types.Q4_0, "attn_k": types.Q8_0, "attn_v": types.F16, "attn_output": types.Q4_1,
         "ffn_gate": types.BF16, "ffn_up": types.Q8_0, "ffn_down": types.Q4_0},
        {"attn_q": types.BF16, "attn_k": types.Q4_1, "attn_v": types.Q8_0, "attn_output": types.F32,
         "ffn_gate": types.Q4_1, "ffn_up": types.Q4_0, "ffn_down": types.F16},
    ]  # fmt: skip
    write_llama_gguf("llama-gguf", {"hidden_size": 64, "head_dim": 16, "intermediate_size": 96}, types.Q8_0, layers, seed)


def golden_gguf_k(seed):
    """Formats whose blocks have 256 elements need rows as wide."""
    import gguf

    types = gguf.GGMLQuantizationType
    layers = [
        {"attn_q": types.Q6_K, "attn_k": types.Q4_K, "attn_v": types.Q8_0, "attn_output": types.Q6_K,
         "ffn_gate": types.Q4_0, "ffn_up": types.Q4_K, "ffn_down": types.Q6_K},
    ]  # fmt: skip
    sizes = {"hidden_size": 256, "head_dim": 64, "intermediate_size": 256}
    write_llama_gguf("llama-gguf-k", sizes, types.Q6_K, layers, seed)


def golden_gguf_mixed(seed):
    """The other formats that llama.cpp's Q2_K to Q5_K_M files contain."""
    import gguf

    types = gguf.GGMLQuantizationType
    layers = [
        {"attn_q": types.Q5_0, "attn_k": types.Q5_1, "attn_v": types.IQ4_NL, "attn_output": types.Q3_K,
         "ffn_gate": types.Q5_K, "ffn_up": types.IQ4_XS, "ffn_down": types.Q2_K},
    ]  # fmt: skip
    sizes = {"hidden_size": 256, "head_dim": 64, "intermediate_size": 256}
    write_llama_gguf("llama-gguf-mixed", sizes, types.Q5_K, layers, seed)


def write_llama_gguf(name, sizes, embedding, layers, seed):
    """A llama as GGUF; `embedding` and `layers` are the formats of its matrices."""
    import gguf

    folder = fresh(name)
    types = gguf.GGMLQuantizationType
    heads, kv_heads = 4, 2
    config = LlamaConfig(
        vocab_size=300, num_hidden_layers=len(layers), num_attention_heads=heads, num_key_value_heads=kv_heads,
        max_position_embeddings=160, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        bos_token_id=1, eos_token_id=2, attn_implementation="eager", **sizes,
    )  # fmt: skip
    model = randomise(LlamaForCausalLM(config), seed)
    tokenizer = byte_level_bpe()

    writer = gguf.GGUFWriter(folder / "model.gguf", "llama")
    writer.add_name("golden")
    writer.add_block_count(len(layers))
    writer.add_context_length(160)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_freq_base(100000.0)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(300)
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.get)
    assert len(tokens) == 300
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * 297)
    writer.add_token_merges([" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )

    layer = {
        "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    }  # fmt: skip
    names = {"token_embd": ("model.embed_tokens", embedding), "output_norm": ("model.norm", types.F32)}
    for i, kinds in enumerate(layers):
        for short, long in layer.items():
            names["blk.%d.%s" % (i, short)] = ("model.layers.%d.%s" % (i, long), kinds.get(short, types.F32))
    for short, (long, kind) in names.items():
        parameter = model.get_parameter(long + ".weight")
        stored = parameter.detach().numpy()
        count = heads if short.endswith("attn_q") else kv_heads if short.endswith("attn_k") else 0
        if count:
            stored = permuted(stored, count)
        packed = encoded(stored, kind, seed + len(short))
        writer.add_tensor(short + ".weight", packed, raw_dtype=kind)
        plain = gguf.dequantize(packed, kind).reshape(stored.shape)
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(unpermuted(plain, count) if count else plain)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    loaded = LlamaForCausalLM.from_pretrained(folder, gguf_file="model.gguf", dtype=torch.float32, attn_implementation="eager")
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, loaded.get_parameter(name)), "transformers reads %s differently" % name
    cases = random_cases(300, FEW_LENGTHS, seed)
    with torch.no_grad():
        ids = torch.tensor([cases[-1]])
        gap = (model(input_ids=ids).logits - loaded.eval()(input_ids=ids).logits).abs().max()
    assert gap < 1e-5, "transformers reads the metadata differently: logits differ by %g" % gap

    texts = ["The capital of France is", "it was 1984, great!", "naïve 映画 🎬\n\n  two  spaces", "<|im_start|>user\nhi<|im_end|>\n", ""]
    write_cases(folder, cases, [{"text": text, "ids": tokenizer.encode(text).ids} for text in texts])
    write_expected(folder, model, cases)


QWEN3_LAYER = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k": "self_attn.k_proj", "attn_k_norm": "self_attn.k_norm", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
GEMMA3_LAYER = {
    **QWEN3_LAYER, "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}  # fmt: skip


GPT2_LAYER = {
    "attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_norm": "ln_2",
    "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj",
}  # fmt: skip


def names_of(config, layer):
    """GGUF's names of all modules, and those of transformers."""
    if config.model_type == "gpt2":
        names = {"token_embd": "transformer.wte", "position_embd": "transformer.wpe", "output_norm": "transformer.ln_f"}
        prefix = "transformer.h"
    else:
        names, prefix = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}, "model.layers"
    for i in range(config.num_hidden_layers):
        names |= {"blk.%d.%s" % (i, short): "%s.%d.%s" % (prefix, i, long) for short, long in layer.items()}
    return names


def add_rotary_decoder(gguf, writer, config):
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    rope = config.rope_parameters
    if "full_attention" in rope:
        writer.add_sliding_window(config.sliding_window)
        writer.add_rope_freq_base_swa(rope["sliding_attention"]["rope_theta"])
        rope = rope["full_attention"]
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])


def write_gguf(folder, architecture, model, layer, norms_plus_one=False):
    """The file that llama.cpp's converter writes: the names of `layer`, norms with 1 added if the model adds it, and GPT-2's matrices
    as [outputs, inputs]."""
    import gguf

    types = gguf.GGMLQuantizationType
    config = model.config
    writer = gguf.GGUFWriter(folder / "model.gguf", architecture)
    writer.add_name("golden")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(getattr(config, "intermediate_size", None) or config.n_inner)
    writer.add_head_count(config.num_attention_heads)
    if config.model_type == "gpt2":
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        add_rotary_decoder(gguf, writer, config)
    tokenizer = byte_level_bpe()
    ids = tokenizer.get_vocab()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(sorted(ids, key=ids.get))
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * 297)
    writer.add_token_merges([" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)

    kinds = [types.Q8_0, types.Q4_1, types.Q8_0, types.F16, types.Q4_0]
    for number, (short, long) in enumerate(names_of(config, layer).items()):
        parameter = model.get_parameter(long + ".weight")
        module = model.get_submodule(long)
        if getattr(module, "bias", None) is not None:
            writer.add_tensor(short + ".bias", module.bias.detach().numpy())
        turned = type(module).__name__ == "Conv1D"
        stored = parameter.detach().numpy()
        stored = stored.T if turned else stored
        if stored.ndim == 1:
            writer.add_tensor(short + ".weight", stored + np.float32(norms_plus_one))
            continue
        kind = kinds[number % len(kinds)]
        packed = gguf.quantize(np.ascontiguousarray(stored), kind)
        writer.add_tensor(short + ".weight", packed, raw_dtype=kind)
        with torch.no_grad():
            plain = torch.from_numpy(gguf.dequantize(packed, kind).reshape(stored.shape).copy())
            parameter.copy_(plain.T if turned else plain)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def golden_qwen3_gguf(seed):
    folder = fresh("qwen3-gguf")
    config = Qwen3Config(
        vocab_size=300, hidden_size=64, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
        intermediate_size=96, max_position_embeddings=160, rms_norm_eps=1e-6, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    model = randomise(Qwen3ForCausalLM(config), seed)
    write_gguf(folder, "qwen3", model, QWEN3_LAYER)
    check_gguf(folder, Qwen3ForCausalLM, model)
    cases = random_cases(300, FEW_LENGTHS, seed)
    write_cases(folder, cases)
    write_expected(folder, model, cases)


def golden_gemma3_gguf(seed):
    """The scale of the scores follows from the head's width, because llama.cpp knows no other scale."""
    folder = fresh("gemma3-gguf")
    config = Gemma3TextConfig(
        vocab_size=300, hidden_size=32, num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=1, head_dim=32,
        intermediate_size=32, max_position_embeddings=160, rms_norm_eps=1e-6, query_pre_attn_scalar=32, sliding_window=8,
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0},
            "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
        },
        pad_token_id=0, bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    model = norms_around_zero(randomise(Gemma3ForCausalLM(config), seed))
    write_gguf(folder, "gemma3", model, GEMMA3_LAYER, norms_plus_one=True)
    check_gguf(folder, Gemma3ForCausalLM, model)
    cases = random_cases(300, FEW_LENGTHS, seed)
    write_cases(folder, cases)
    write_expected(folder, model, cases)


def golden_gpt2_gguf(seed):
    folder = fresh("gpt2-gguf")
    config = GPT2Config(
        vocab_size=300, n_embd=64, n_layer=1, n_head=4, n_inner=96, n_positions=80, layer_norm_epsilon=1e-5,
        bos_token_id=1, eos_token_id=2, attn_implementation="eager",
    )  # fmt: skip
    model = randomise(GPT2LMHeadModel(config), seed)
    write_gguf(folder, "gpt2", model, GPT2_LAYER)
    check_gguf(folder, GPT2LMHeadModel, model)
    cases = random_cases(300, FEW_LENGTHS, seed)
    write_cases(folder, cases)
    write_expected(folder, model, cases)


def check_gguf(folder, kind, model):
    """Asserts that transformers reads the same weights from the file. It does not read some hyperparameters, so they are passed."""
    loaded = kind.from_pretrained(
        folder, gguf_file="model.gguf", config=model.config, dtype=torch.float32, attn_implementation="eager"
    )
    for name, parameter in model.named_parameters():
        gap = (parameter - loaded.get_parameter(name)).abs().max()
        assert gap < 1e-6, "transformers reads %s differently, by %g" % (name, gap)


def golden_untied(seed):
    old_style_config(golden("llama-untied", llama_untied(), seed, UNTIED_LENGTHS))


GOLDENS = {
    "bert": lambda: golden_bert(11),
    "roberta": lambda: golden("roberta", roberta(), 12),
    "opt": lambda: golden("opt", opt(), 13),
    "opt-projected": lambda: golden("opt-projected", opt_projected(), 46, MORE_LENGTHS),
    "llama": lambda: golden("llama", llama(), 14),
    "llama-untied": lambda: golden_untied(15),
    "sharded": golden_sharded,
    "half": lambda: golden_half(16),
    "llama-gguf": lambda: golden_gguf(17),
    "llama-gguf-k": lambda: golden_gguf_k(18),
    "llama-gguf-mixed": lambda: golden_gguf_mixed(50),
    "gpt2": lambda: golden("gpt2", gpt2(), 31, UNTIED_LENGTHS),
    "gpt2-hub": lambda: golden_gpt2_hub(32),
    "qwen3": lambda: golden("qwen3", qwen3(), 33, UNTIED_LENGTHS),
    "qwen3-untied": lambda: golden_qwen3_untied(34),
    "gemma3": lambda: golden("gemma3", gemma3(), 35, UNTIED_LENGTHS),
    "gemma3-hub": lambda: golden_gemma3_hub(36),
    "llama3": lambda: golden_llama3(39),
    "qwen2": lambda: golden_qwen2(40),
    "mistral": lambda: golden("mistral", mistral(), 41, MORE_LENGTHS),
    "gemma2": lambda: golden("gemma2", gemma2(), 44, MORE_LENGTHS),
    "phi": lambda: golden("phi", phi(), 45, MORE_LENGTHS),
    "qwen3-gguf": lambda: golden_qwen3_gguf(37),
    "gemma3-gguf": lambda: golden_gemma3_gguf(38),
    "gpt2-gguf": lambda: golden_gpt2_gguf(46),
}


def check(name):
    """Asserts that the written files, read back by transformers, give the logits that were written."""
    folder = HERE / name
    if not (folder / "expected.safetensors").exists() or not (folder / "config.json").exists():
        return
    kinds = {
        "bert": BertForMaskedLM, "roberta": RobertaForMaskedLM, "opt": OPTForCausalLM, "llama": LlamaForCausalLM,
        "gpt2": GPT2LMHeadModel, "qwen2": Qwen2ForCausalLM, "qwen3": Qwen3ForCausalLM, "mistral": MistralForCausalLM,
        "gemma2": Gemma2ForCausalLM, "gemma3_text": Gemma3ForCausalLM, "phi": PhiForCausalLM,
    }  # fmt: skip
    kind = kinds[json.loads((folder / "config.json").read_text())["model_type"]]
    model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    expected = load_file(folder / "expected.safetensors")
    with torch.no_grad():
        for i, ids in enumerate(json.loads((folder / "cases.json").read_text())["ids"]):
            assert torch.equal(model(input_ids=torch.tensor([ids])).logits[0], expected["logits_%d" % i]), (name, i)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    wanted = sys.argv[1:] or list(GOLDENS)
    for name in wanted:
        GOLDENS[name]()
        for folder in (["half/f16", "half/bf16"] if name == "half" else [name]):
            check(folder)
