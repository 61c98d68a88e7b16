//! The tuner: a loaded model, and the training, evaluation or generation in progress.

use std::rc::Rc;

use js_sys::{Function, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::device::{self, Device, wasm_bytes};
use super::js_error;
use super::options::{self, Progress, Prompting, copied, to_js};
use super::plan;
use super::report::{GpuBytes, Info, Restored};
use crate::dtype::DType;
use crate::error::{Code, Result, bail};
use crate::format::files::ModelDir;
use crate::format::source::HandleFile;
use crate::gemm::Choice;
use crate::gemm::tuner::{self, Known};
use crate::gpu::Backend;
use crate::model::LoadProgress;
use crate::text::rows::Rows;
use crate::train::Trajectory;
use crate::train::{
    AdapterFile, Best, Diagnosis, Examples, ReadoutTrainer, Session, Trainer, Writing, dtype, dtype_name,
    read_adapter, replay,
};

/// The current state of the weights on the device.
pub(super) enum State {
    /// The base model.
    Base,
    /// The base model with a loaded adapter.
    Adapted(Box<AdapterFile>),
    /// The weights of a run.
    Training(Box<Trainer>),
    /// The base model with a classifier of method readout.
    Readout(Box<ReadoutTrainer>),
    /// The weights of a trajectory.
    Restored(Box<Trajectory>),
    /// A step or a replay was stopped between two submits. The weights must be recomputed from this trajectory before they are used.
    Torn(Box<Trajectory>),
    /// None of these, because a reload was interrupted.
    Unknown,
}

/// A loaded model.
#[wasm_bindgen]
pub struct Tuner {
    pub(super) device: Rc<Device>,
    pub(super) session: Session,
    pub(super) state: State,
    pub(super) held_out: Option<Examples>,
    /// The training rows of a readout that is evaluated by cross-validation.
    pub(super) cross_validated: Option<Rows>,
    /// The prompt of the last training run or of the restored trajectory.
    pub(super) prompting: Prompting,
    /// The length in tokens to which examples are truncated, from the last training run or the restored trajectory; 0 is the default.
    pub(super) max_length: u32,
    /// The best evaluation of a training run that ends with its weights.
    pub(super) best: Option<Best>,
    /// Watches the training's losses.
    pub(super) diagnosis: Option<Diagnosis>,
    pub(super) writing: Option<Writing>,
    /// Maximum bytes of GPU memory that a training run may use.
    pub(super) max_gpu_bytes: Option<u64>,
}

#[wasm_bindgen]
impl Tuner {
    /// Opens the device and loads a model. The option `layers` is a file to stream the layers from, if they are streamed.
    pub async fn create(
        options: JsValue,
        on_progress: Function,
        cancel: JsValue,
    ) -> std::result::Result<Tuner, JsValue> {
        Tuner::load(&options, &on_progress, &cancel).await.map_err(js_error)
    }

    /// A description of the model.
    pub fn info(&self) -> std::result::Result<JsValue, JsValue> {
        let (model, spec) = (&self.session.model, self.session.model.spec());
        let memory = model.backend().memory();
        let mask = self.session.tokenizer().ok().and_then(|t| t.mask());
        to_js(&Info {
            family: spec.family,
            head: spec.head_kind(),
            parameters: spec.parameters(),
            dtype: dtype_name(self.session.dtype()),
            gpu_bytes: GpuBytes {
                weights: memory.weights,
                scratch: memory.scratch,
                activations: memory.activations,
                peak: memory.peak,
                total: memory.total(),
            },
            adapter: model.backend().name(),
            tiles: model.tiles().to_string(),
            vocabulary: spec.vocabulary,
            max_length: spec.max_length,
            label_words: spec.head.is_ok(),
            mask_token: mask.map(|(word, _)| word),
            chats: self.session.chat_template().is_ok(),
            wasm_bytes: wasm_bytes(),
        })
        .map_err(js_error)
    }

    /// Starts a training run, or continues the restored one. A search for the learning rate reports its progress, and can be stopped.
    #[wasm_bindgen(js_name = startTraining)]
    pub async fn start_training(
        &mut self,
        config: JsValue,
        on_progress: Function,
        cancel: JsValue,
    ) -> std::result::Result<JsValue, JsValue> {
        let stop = cancel.clone();
        self.device.stop_when(Some(Box::new(move || options::check_cancel(&stop))));
        let start = self.start(&config, &on_progress, &cancel).await;
        self.device.stop_when(None);
        to_js(&start.map_err(js_error)?).map_err(js_error)
    }

    /// Runs one step of the training; returns `undefined` when it is complete. `cancel` stops it between two submits, which also
    /// stops the run. `on_progress` receives the number of programs that are compiled for it, and how far a fit of a readout is.
    pub async fn step(
        &mut self,
        cancel: JsValue,
        on_progress: Option<Function>,
    ) -> std::result::Result<JsValue, JsValue> {
        self.watch_programs(on_progress.clone());
        let step = self.stoppable_step(cancel, on_progress).await;
        self.watch_programs(None);
        match step.map_err(js_error)? {
            Some(step) => to_js(&step).map_err(js_error),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// The trajectory file of the training run or of what was restored; or only its end, starting at the records of `step` (counted
    /// from 0).
    #[wasm_bindgen(js_name = exportTrajectory)]
    pub fn export_trajectory(&self, step: Option<u32>) -> std::result::Result<Uint8Array, JsValue> {
        if let State::Readout(trainer) = &self.state {
            // There are no records after the header.
            let bytes = if step.is_some() { Ok(Vec::new()) } else { trainer.header().to_bytes() };
            return Ok(Uint8Array::from(&bytes.map_err(js_error)?[..]));
        }
        let bytes = self.trajectory().and_then(|trajectory| match step {
            None => trajectory.to_bytes(),
            Some(step) => Ok(trajectory.bytes_from(step)),
        });
        Ok(Uint8Array::from(&bytes.map_err(js_error)?[..]))
    }

    /// The loss on data and the figures of the accuracy, with the weights after the steps so far. With `wrong` set, the rows that
    /// were answered wrongly are listed.
    pub async fn evaluate(
        &mut self,
        config: JsValue,
        cancel: JsValue,
        on_progress: Option<Function>,
    ) -> std::result::Result<JsValue, JsValue> {
        self.watch_programs(on_progress.clone());
        let report = self.measure(&config, &cancel, on_progress.as_ref()).await;
        self.watch_programs(None);
        to_js(&report.map_err(js_error)?).map_err(js_error)
    }

    /// The label of a text, with the probability of each label.
    pub async fn classify(
        &mut self,
        text: String,
        options: JsValue,
    ) -> std::result::Result<JsValue, JsValue> {
        let answer = self.answer(text, &options).await.map_err(js_error)?;
        to_js(&answer).map_err(js_error)
    }

    /// Starts generating a continuation of a prompt: a text, or the turns of a conversation, which the model's own template renders.
    #[wasm_bindgen(js_name = startGeneration)]
    pub async fn start_generation(
        &mut self,
        prompt: JsValue,
        options: JsValue,
    ) -> std::result::Result<(), JsValue> {
        self.start_writing(prompt, options).await.map_err(js_error)
    }

    /// The next piece of the text; `undefined` at its end.
    #[wasm_bindgen(js_name = nextToken)]
    pub async fn next_token(&mut self) -> std::result::Result<Option<String>, JsValue> {
        self.next_piece().await.map_err(js_error)
    }

    /// Frees the memory of the text that is being generated.
    #[wasm_bindgen(js_name = endGeneration)]
    pub fn end_generation(&mut self) {
        self.writing = None;
    }

    /// Loads an adapter in peft's format, `files: {name, blob}[]`. It replaces what was trained.
    #[wasm_bindgen(js_name = useAdapter)]
    pub async fn use_adapter(&mut self, options: JsValue) -> std::result::Result<(), JsValue> {
        self.load_adapter(&options).await.map_err(js_error)
    }

    /// Replays a trajectory onto the base weights.
    pub async fn restore(
        &mut self,
        trajectory: Uint8Array,
        on_progress: Function,
        cancel: JsValue,
    ) -> std::result::Result<JsValue, JsValue> {
        let trajectory = Trajectory::parse("the trajectory", &copied(&trajectory)).map_err(js_error)?;
        let restored = Restored::of(&trajectory);
        self.replay(trajectory, Some(&on_progress), &cancel).await.map_err(js_error)?;
        to_js(&restored).map_err(js_error)
    }
}

impl Tuner {
    async fn load(options: &JsValue, on_progress: &Function, cancel: &JsValue) -> Result<Tuner> {
        let dtype = dtype(options::text(options, "dtype").as_deref().unwrap_or("f32"))?;
        let dir = options::model_dir(options, cancel)?;
        Progress { stage: "device", file: "", loaded: 0, total: 0 }.tell(on_progress);
        let device = device::open(options).await?;
        let session =
            Self::load_session(device.clone(), dir.as_ref(), dtype, options, on_progress, cancel).await;
        let mut session = session.inspect_err(|_| device.destroy())?;
        session
            .set_tiles(Self::tiles(&device, options, on_progress).await.inspect_err(|_| device.destroy())?);
        let max_gpu_bytes = plan::max_bytes(options)?;
        Ok(Tuner {
            device,
            session,
            state: State::Base,
            held_out: None,
            cross_validated: None,
            prompting: Prompting::default(),
            max_length: 0,
            best: None,
            diagnosis: None,
            writing: None,
            max_gpu_bytes,
        })
    }

    /// The choice specified by `tiles`. If tiles are to be measured, `knownTiles` has the choices that were measured before.
    async fn tiles(device: &Rc<Device>, options: &JsValue, on_progress: &Function) -> Result<Choice> {
        let wanted = options::text(options, "tiles");
        let wanted = wanted.as_deref().unwrap_or("untuned");
        if wanted.starts_with("auto") {
            let known = options::text(options, "knownTiles").and_then(|known| known.parse::<Choice>().ok());
            // Some names from another version may be unknown.
            if let Some(Ok(known)) = known.map(|known| known.check(&device.limits())) {
                return Ok(known);
            }
            Progress { stage: "tuning", file: "", loaded: 0, total: 0 }.tell(on_progress);
        }
        tuner::choose(device.as_ref(), wanted, &mut Known::new()).await
    }

    async fn load_session(
        device: Rc<Device>,
        dir: &dyn ModelDir,
        dtype: DType,
        options: &JsValue,
        on_progress: &Function,
        cancel: &JsValue,
    ) -> Result<Session> {
        options::check_cancel(cancel)?;
        Progress { stage: "config", file: "config.json", loaded: 0, total: 0 }.tell(on_progress);
        let name = dir.name().to_owned();
        let mut session = Session::describe(device.limits(), dir, dtype).await?;
        if let Some(handle) = options::field(options, "layers") {
            session = session.stream_layers(Rc::new(HandleFile::new(handle.unchecked_into())))?;
        }
        plan::check_weights(&session, plan::max_bytes(options)?)?;
        let mut progress = |p: LoadProgress| {
            options::check_cancel(cancel)?;
            let (loaded, total) = (p.loaded * 4, p.total * 4);
            Progress { stage: "weights", file: &name, loaded, total }.tell(on_progress);
            Ok(())
        };
        session.load(device, &mut progress).await
    }

    async fn load_adapter(&mut self, options: &JsValue) -> Result<()> {
        let dir = options::model_dir(options, &JsValue::UNDEFINED)?;
        let adapter = read_adapter(&self.session, dir.as_ref()).await?;
        self.reset().await?;
        self.session.use_adapter(&adapter).await?;
        self.state = State::Adapted(Box::new(adapter));
        Ok(())
    }

    /// The records of the training or of what was restored.
    fn trajectory(&self) -> Result<&Trajectory> {
        match &self.state {
            State::Training(trainer) => Ok(trainer.trajectory()),
            State::Restored(trajectory) | State::Torn(trajectory) => Ok(trajectory),
            State::Base | State::Adapted(_) | State::Readout(_) | State::Unknown => {
                bail!(InvalidArgument, "nothing has been trained yet")
            }
        }
    }

    /// Applies the update of the last step, so that the weights match the records.
    pub(super) async fn settle(&mut self) -> Result<()> {
        match &mut self.state {
            State::Training(trainer) => trainer.settle(&mut self.session).await,
            State::Torn(trajectory) => {
                let trajectory = trajectory.as_ref().clone();
                self.replay(trajectory, None, &JsValue::UNDEFINED).await
            }
            State::Unknown => {
                bail!(InvalidArgument, "the weights were left partly updated: restore or train again")
            }
            State::Base | State::Adapted(_) | State::Readout(_) | State::Restored(_) => Ok(()),
        }
    }

    /// Returns to the base weights.
    pub(super) async fn reset(&mut self) -> Result<()> {
        if !matches!(self.state, State::Base) {
            self.state = State::Unknown;
            self.session.reset(&mut |_| Ok(())).await?;
            self.state = State::Base;
        }
        Ok(())
    }

    /// Recomputes the weights of a trajectory from the base weights.
    async fn replay(
        &mut self,
        trajectory: Trajectory,
        on_progress: Option<&Function>,
        cancel: &JsValue,
    ) -> Result<()> {
        self.reset().await?;
        self.state = State::Torn(Box::new(trajectory.clone()));
        let total = u64::from(trajectory.steps());
        let mut progress = |steps: u32| {
            if let Some(listener) = on_progress {
                let loaded = u64::from(steps);
                Progress { stage: "replay", file: "", loaded, total }.tell(listener);
            }
            options::check_cancel(cancel)
        };
        if let Err(error) = replay(&mut self.session, &trajectory, &mut progress).await {
            if error.code() == Code::TrajectoryMismatch {
                self.state = State::Base;
            }
            return Err(error);
        }
        self.prompting = Prompting::of_run(&trajectory.header)?;
        self.max_length = trajectory.header.settings.max_length;
        self.state = State::Restored(Box::new(trajectory));
        Ok(())
    }
}

impl Drop for Tuner {
    /// The device's memory is freed immediately, even if JavaScript still refers to it.
    fn drop(&mut self) {
        self.device.destroy();
    }
}
