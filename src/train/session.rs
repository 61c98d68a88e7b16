//! A loaded model with its tokenizer, used by training, evaluation and generation.

use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::chat;
use super::ends::ends;
use crate::dtype::DType;
use crate::error::{Result, bail, err};
use crate::format::checkpoint::Checkpoint;
use crate::format::config::Config;
use crate::format::files::{GENERATION_FILE, ModelDir};
use crate::format::gguf::Metadata;
use crate::format::model_files::{ModelFiles, SourceFiles};
use crate::format::source::{NoScratch, Scratch};
use crate::gemm::Choice;
use crate::gpu::{Backend, Dry, Limits};
use crate::model::{
    Extent, LoadProgress, ModelSpec, TensorId, Transformer, Weights, Workspace, check_copies, check_tensors,
    family, formats, refuse_quantized, refuse_unused, without_missing_head,
};
use crate::text::chat::ChatTemplate;
use crate::text::encode;
use crate::text::gguf_vocab::GgufVocab;
use crate::text::tokenizer::{Tokenizer, TokenizerFiles};

/// A loaded model.
///
/// ```no_run
/// use pocketllm::{dtype::DType, format::files::FsDir, gpu::{Gpu, GpuOptions, LimitsChoice}, train::Session};
///
/// # async fn open() -> pocketllm::error::Result<()> {
/// let gpu = Gpu::open(GpuOptions { limits: LimitsChoice::Adapter }).await?;
/// let session = Session::open(gpu, &FsDir::new("models/bert")?, DType::F32, &mut |_| Ok(())).await?;
/// println!("{} parameters", session.model.spec().parameters());
/// # Ok(())
/// # }
/// ```
pub struct Session {
    /// The directory or file that the model came from.
    pub name: String,
    /// The transformer, on its backend.
    pub model: Transformer,
    tokenizer: Option<Rc<Tokenizer>>,
    /// The tokens that end a text.
    ends: BTreeSet<u32>,
    /// `generation_config.json`.
    pub(super) generation: Option<Config>,
    chat: Result<ChatTemplate>,
    checkpoint: Checkpoint,
    /// The base model's checkpoint, while an adapter replaces tensors in it.
    base: Option<Checkpoint>,
    /// The readout, or its labels, in files beside an adapter or the model.
    pub(super) beside: super::beside::Beside,
    /// The equivalent of `tokenizer_config.json` for a model from a GGUF file.
    tokenizer_config: Option<Map<String, Value>>,
    config: Rc<Config>,
    /// The source files that are copied into a saved model.
    pub(super) copied_files: SourceFiles,
    workspace: Option<Workspace>,
    dtype: DType,
    /// The file that layers are streamed from, if any.
    layers: Option<Rc<dyn Scratch>>,
    /// Whether the base weights may have been trained.
    pub(super) touched: bool,
}

impl Session {
    /// Reads the header, configuration and tokenizer, then streams the weights to the backend. Matrices are stored in `dtype`
    /// ([`crate::model::stored_as`]).
    ///
    /// # Errors
    /// `file-corrupt`, `model-unsupported`, `limit-exceeded`; read errors; errors from `progress`.
    pub async fn open(
        backend: Rc<dyn Backend>,
        dir: &dyn ModelDir,
        dtype: DType,
        progress: &mut dyn FnMut(LoadProgress) -> Result<()>,
    ) -> Result<Session> {
        Session::describe(backend.limits(), dir, dtype).await?.load(backend, progress).await
    }

    /// Reads only the header, configuration and tokenizer. Until the weights are loaded, all operations on the session are only
    /// counted ([`Dry`]).
    ///
    /// # Errors
    /// The errors of [`Session::open`].
    pub async fn describe(limits: Limits, dir: &dyn ModelDir, dtype: DType) -> Result<Session> {
        let files = ModelFiles::open(dir).await?;
        let spec = family::spec(&files.config)?;
        refuse_quantized(&files.config)?;
        let spec = Rc::new(without_missing_head(spec, &files.checkpoint, &files.config));
        check_tensors(&spec, &files.checkpoint, &files.config)?;
        if files.gguf.is_some() {
            refuse_unused(&spec, &files.checkpoint)?;
        }
        let tokenizer = tokenizer(&files)?;
        let generation = files.small_files.get(GENERATION_FILE);
        let generation = generation.map(|bytes| Config::parse(GENERATION_FILE, bytes)).transpose()?;
        let configs: Vec<&Config> = generation.iter().chain([&files.config]).collect();
        let ends = ends(&configs, files.gguf.as_ref())?;
        let tokenizer_config = files.gguf.as_ref().map(chat::tokenizer_config).transpose()?;
        let chat = chat::template(&files);
        let model = counted(limits, spec, &files.checkpoint, dtype, None)?;
        let (name, checkpoint, config) = (files.name, files.checkpoint, Rc::new(files.config));
        let tokenizer = tokenizer.map(Rc::new);
        let copied_files = files.copied_files;
        let (workspace, base, layers, touched) = (None, None, None, false);
        let session = Session {
            name,
            model,
            tokenizer,
            ends,
            generation,
            chat,
            checkpoint,
            base,
            beside: Default::default(),
            tokenizer_config,
            config,
            copied_files,
            workspace,
            dtype,
            layers,
            touched,
        };
        session.fresh()
    }

    /// Reads the matrices of layers from `file` in each pass instead of keeping them on the device. Must be called before the
    /// weights are loaded, because loading fills the file. The results are identical to the last bit.
    ///
    /// # Errors
    /// `limit-exceeded` if a buffer is larger than the device allows.
    pub fn stream_layers(self, file: Rc<dyn Scratch>) -> Result<Session> {
        let (limits, spec) = (self.model.backend().limits(), self.model.weights().spec().clone());
        let mut model = counted(limits, spec, &self.checkpoint, self.dtype, Some(file.clone()))?;
        model.set_tiles(self.model.tiles());
        Session { model, workspace: None, layers: Some(file), ..self }.fresh()
    }

    /// Whether layers are read from a file in each pass.
    pub fn streams_layers(&self) -> bool {
        self.layers.is_some()
    }

    /// The same model with weights that are only counted, stored in `dtype`. With `streamed`, its layers are read from a file.
    ///
    /// # Errors
    /// `limit-exceeded`.
    pub(super) fn counted(&self, dtype: DType, streamed: bool) -> Result<Session> {
        let (limits, spec) = (self.model.backend().limits(), self.model.weights().spec().clone());
        let layers = streamed.then(|| -> Rc<dyn Scratch> { Rc::new(NoScratch) });
        let mut model = counted(limits, spec, &self.checkpoint, dtype, layers.clone())?;
        model.set_tiles(self.model.tiles());
        let session = Session {
            name: self.name.clone(),
            model,
            tokenizer: None,
            ends: BTreeSet::new(),
            generation: None,
            chat: Err(err!(ModelUnsupported, "{}: only its memory is planned", self.name)),
            checkpoint: self.checkpoint.clone(),
            base: None,
            beside: Default::default(),
            tokenizer_config: None,
            config: self.config.clone(),
            copied_files: SourceFiles::default(),
            workspace: None,
            dtype,
            layers,
            touched: false,
        };
        session.fresh()
    }

    /// Streams the weights to a backend.
    ///
    /// # Errors
    /// The errors of [`Session::open`].
    pub async fn load(
        self,
        backend: Rc<dyn Backend>,
        progress: &mut dyn FnMut(LoadProgress) -> Result<()>,
    ) -> Result<Session> {
        let spec = self.model.weights().spec().clone();
        check_copies(&spec, &self.checkpoint).await?;
        let (checkpoint, layers) = (&self.checkpoint, self.layers.clone());
        let weights = Weights::load(backend.as_ref(), spec, checkpoint, self.dtype, layers, progress).await?;
        let mut model = Transformer::new(backend, weights);
        model.set_tiles(self.model.tiles());
        Session { model, workspace: None, ..self }.fresh()
    }

    /// Nothing is trainable until `set_up` selects tensors, so workspaces do not allocate per-branch copies yet.
    fn fresh(mut self) -> Result<Session> {
        self.train_tensors(&|_| false)?;
        Ok(self)
    }

    /// Returns to the base model: removes an adapter, and reloads weights that were trained.
    ///
    /// # Errors
    /// Read errors; errors from `progress`.
    pub async fn reset(&mut self, progress: &mut dyn FnMut(LoadProgress) -> Result<()>) -> Result<()> {
        self.remove_adapter();
        self.beside = Default::default();
        if let Some(base) = self.base.take() {
            self.checkpoint = base;
        }
        if self.touched {
            self.model.reload(&self.checkpoint, progress).await?;
            self.touched = false;
        }
        Ok(())
    }

    /// The storage format of the matrices that was requested when the model was loaded.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Chooses the base tensors that are trained.
    pub(super) fn train_tensors(&mut self, trained: &dyn Fn(TensorId) -> bool) -> Result<()> {
        self.workspace = None;
        self.model.train(trained)
    }

    /// Chooses the matmul tiles ([`Transformer::set_tiles`]).
    pub fn set_tiles(&mut self, tiles: Choice) {
        self.workspace = None;
        self.model.set_tiles(tiles);
    }

    /// Removes the adapter, if there is one.
    pub(super) fn remove_adapter(&mut self) {
        self.workspace = None;
        self.model.set_adapter(None);
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// `model-unsupported` if the model came without a tokenizer.
    pub fn tokenizer(&self) -> Result<&Rc<Tokenizer>> {
        self.tokenizer
            .as_ref()
            .ok_or_else(|| err!(ModelUnsupported, "{}: the model came without a tokenizer", self.name))
    }

    /// The ids of the tokens that end a generated text.
    pub(super) fn ends(&self) -> &BTreeSet<u32> {
        &self.ends
    }

    /// Checks that the model's embedding has a row for each of these tokens. A tokenizer may have more tokens than the model.
    ///
    /// # Errors
    /// `data-invalid` naming the first token without a row.
    pub fn check_tokens(&self, ids: impl IntoIterator<Item = u32>) -> Result<()> {
        let rows = self.model.spec().vocabulary;
        let Some(id) = ids.into_iter().find(|id| *id >= rows) else { return Ok(()) };
        let name = self.tokenizer.as_ref().and_then(|tokenizer| tokenizer.id_to_token(id));
        bail!(
            DataInvalid,
            "token {:?} has the id {id}, but the model has rows for {rows} tokens only",
            name.unwrap_or_default()
        )
    }

    /// The model's chat template.
    ///
    /// # Errors
    /// `model-unsupported` if the model came without one, or it cannot be run.
    pub fn chat_template(&self) -> Result<&ChatTemplate> {
        self.chat.as_ref().map_err(Clone::clone)
    }

    /// Replaces tensors of the model with those of the same names in another checkpoint, until [`Session::reset`]. Tensors that do
    /// not belong to the model, such as those of a classifier, are added to its checkpoint.
    pub(super) async fn replace(&mut self, ids: &[TensorId], tensors: &Checkpoint) -> Result<()> {
        self.touched = true;
        self.model.replace(ids, tensors).await?;
        let replaced = self.checkpoint.with_replaced(tensors);
        self.base.get_or_insert(std::mem::replace(&mut self.checkpoint, replaced));
        Ok(())
    }

    /// Whether an adapter has replaced tensors of the base.
    pub(super) fn has_replaced(&self) -> bool {
        self.base.is_some()
    }

    /// Whether an adapter has added a classifier to the model or replaced the model's classifier.
    pub fn has_classifier_of_adapter(&self) -> bool {
        let output = self.model.spec().classifier.as_ref().map(|head| format!("{}.weight", head.output));
        let of =
            |checkpoint: &Checkpoint| output.as_ref().and_then(|name| checkpoint.tensors.get(name).cloned());
        self.base.as_ref().is_some_and(|base| of(base) != of(&self.checkpoint))
    }

    /// The checkpoint that the model is read from.
    pub(super) fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The equivalent of `tokenizer_config.json` for a tokenizer from a GGUF file.
    pub(super) fn tokenizer_config(&self) -> Option<&Map<String, Value>> {
        self.tokenizer_config.as_ref()
    }

    /// The fields of the model's configuration.
    pub fn config(&self) -> &Map<String, Value> {
        self.config.fields()
    }

    /// The kind of the model's head, as the `text` module defines it.
    pub fn head(&self) -> encode::HeadKind {
        self.model.spec().head_kind().into()
    }

    /// The model, and a workspace of at least this extent.
    ///
    /// # Errors
    /// `limit-exceeded`.
    pub fn prepare(&mut self, extent: Extent) -> Result<(&Transformer, &Workspace)> {
        let workspace = self.model.workspace(self.workspace.take(), extent)?;
        Ok((&self.model, self.workspace.insert(workspace)))
    }
}

/// A transformer whose weights are only counted.
fn counted(
    limits: Limits,
    spec: Rc<ModelSpec>,
    checkpoint: &Checkpoint,
    dtype: DType,
    layers: Option<Rc<dyn Scratch>>,
) -> Result<Transformer> {
    let formats = formats(&spec, checkpoint, dtype)?;
    let backend = Dry::open(limits);
    let weights = Weights::allocate(backend.as_ref(), spec, &formats, layers)?;
    Ok(Transformer::new(backend, weights))
}

fn tokenizer(files: &ModelFiles) -> Result<Option<Tokenizer>> {
    match &files.gguf {
        Some(metadata) if !metadata.has("tokenizer.ggml.tokens") => return Ok(None),
        Some(metadata) => return Tokenizer::from_gguf(vocab(metadata)?).map(Some),
        None => {}
    }
    let config = &files.config;
    let tokenizer = Tokenizer::from_files(TokenizerFiles {
        files: &files.small_files,
        model_type: config.opt_str("model_type")?,
        class: config.opt_str("tokenizer_class")?,
    })?;
    // config.json may name the tokens that end a text, as one id or a list.
    match tokenizer {
        Some(tokenizer) if config.has("eos_token_id") => {
            let eos = config.u32_list("eos_token_id")?.first().copied();
            tokenizer.with_eos(eos).map(Some).map_err(|error| error.at(config.name()))
        }
        tokenizer => Ok(tokenizer),
    }
}

/// The tokenizer in the metadata of a GGUF file.
fn vocab(metadata: &Metadata) -> Result<GgufVocab> {
    let text = |key: &str| Ok(metadata.opt_str(key)?.unwrap_or_default().to_owned());
    let types = metadata.opt_ints("tokenizer.ggml.token_type")?.unwrap_or_default();
    let charsmap = metadata.opt_ints("tokenizer.ggml.precompiled_charsmap")?.unwrap_or_default();
    let flag = |key: &str, default: bool| -> Result<bool> {
        Ok(metadata.opt_bool(&format!("tokenizer.ggml.{key}"))?.unwrap_or(default))
    };
    let lowercase = flag("normalizer.lowercase", true)?;
    Ok(GgufVocab {
        model: text("tokenizer.ggml.model")?,
        pre: text("tokenizer.ggml.pre")?,
        tokens: metadata.strings("tokenizer.ggml.tokens")?.to_vec(),
        merges: metadata.opt_strings("tokenizer.ggml.merges")?.unwrap_or_default().to_vec(),
        token_types: types.iter().map(|kind| *kind as i32).collect(),
        bos: metadata.opt_u32("tokenizer.ggml.bos_token_id")?,
        eos: metadata.opt_u32("tokenizer.ggml.eos_token_id")?,
        unk: metadata.opt_u32("tokenizer.ggml.unknown_token_id")?,
        sep: metadata.opt_u32("tokenizer.ggml.seperator_token_id")?,
        mask: metadata.opt_u32("tokenizer.ggml.mask_token_id")?,
        add_bos: metadata.opt_bool("tokenizer.ggml.add_bos_token")?,
        add_eos: metadata.opt_bool("tokenizer.ggml.add_eos_token")?,
        scores: metadata.opt_floats("tokenizer.ggml.scores")?.unwrap_or_default().to_vec(),
        add_space_prefix: metadata.opt_bool("tokenizer.ggml.add_space_prefix")?,
        remove_extra_whitespaces: flag("remove_extra_whitespaces", false)?,
        charsmap: charsmap.iter().map(|byte| *byte as u8).collect(),
        lowercase,
        strip_accents: flag("normalizer.strip_accents", lowercase)?,
    })
}
