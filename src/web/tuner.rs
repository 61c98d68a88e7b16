//! The tuner: a loaded model, and the training, evaluation or generation under way on it.

use std::rc::Rc;

use js_sys::{Function, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::js_error;
use super::options::{self, GenerateOptions, Progress, Prompting, TrainOptions, to_js};
use super::plan;
use super::report::{Classification, Evaluated, GpuBytes, Info, Restored, Scored, Start, Step};
use crate::dtype::DType;
use crate::error::{Code, Result, bail, err};
use crate::format::files::ModelDir;
use crate::gpu::{Backend, Gpu, GpuOptions, LimitsChoice};
use crate::model::{Generation, LoadProgress, Sampling};
use crate::text::batch::Batch;
use crate::text::dataset::Dataset;
use crate::text::stream::Detokenizer;
use crate::text::tokenizer::Tokenizer;
use crate::train::{
    AdapterFile, Diagnosis, EvaluationReport, Examples, Session, Sizes, Trainer, draw, dtype, dtype_name,
    length, read_adapter, replay, search,
};
use crate::zo::random::sampling_key;
use crate::zo::trajectory::{Record, Trajectory};

/// What the weights on the device are.
enum State {
    /// The base model's.
    Base,
    /// The base model's, with an adapter that was loaded beside them.
    Adapted(Box<AdapterFile>),
    /// Those of a run.
    Training(Box<Trainer>),
    /// Those of a trajectory.
    Restored(Box<Trajectory>),
    /// A step or a replay was stopped between two submits: to be formed anew from this trajectory before they are used.
    Torn(Box<Trajectory>),
    /// None of these: a reload was broken off.
    Unknown,
}

struct Writing {
    generation: Generation,
    seed: u64,
    index: u32,
    left: u32,
    end: Option<u32>,
    text: Detokenizer<Rc<Tokenizer>>,
}

/// A loaded model.
#[wasm_bindgen]
pub struct Tuner {
    gpu: Rc<Gpu>,
    session: Session,
    state: State,
    held_out: Option<Examples>,
    /// As the last training or restored trajectory had it.
    prompting: Prompting,
    /// Tokens that examples are cut to, as the last training or restored trajectory had it; 0: the default.
    diagnosis: Option<Diagnosis>,
    max_length: u32,
    writing: Option<Writing>,
    /// Bytes of GPU memory that a training may take.
    max_gpu_bytes: Option<u64>,
}

#[wasm_bindgen]
impl Tuner {
    /// Opens the device and loads a model.
    pub async fn create(
        options: JsValue,
        on_progress: Function,
        cancel: JsValue,
    ) -> std::result::Result<Tuner, JsValue> {
        Tuner::load(&options, &on_progress, &cancel).await.map_err(js_error)
    }

    /// What is known of the model.
    pub fn info(&self) -> std::result::Result<JsValue, JsValue> {
        let (model, spec) = (&self.session.model, self.session.model.spec());
        let memory = model.backend().memory();
        let mask = self.session.tokenizer().ok().and_then(|t| t.mask());
        to_js(&Info {
            family: spec.family,
            head: spec.head.kind,
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
            vocabulary: spec.vocabulary,
            max_length: spec.max_length,
            mask_token: mask.map(|(word, _)| word),
            wasm_bytes: wasm_bytes(),
        })
        .map_err(js_error)
    }

    /// Starts a training, or goes on with the restored one.
    #[wasm_bindgen(js_name = startTraining)]
    pub async fn start_training(&mut self, config: JsValue) -> std::result::Result<JsValue, JsValue> {
        let start = self.start(&config).await.map_err(js_error)?;
        to_js(&start).map_err(js_error)
    }

    /// One step of the training; `undefined` when it is complete. `cancel` stops it between two submits, and the run with it.
    pub async fn step(&mut self, cancel: JsValue) -> std::result::Result<JsValue, JsValue> {
        match self.stoppable_step(cancel).await.map_err(js_error)? {
            Some(step) => to_js(&step).map_err(js_error),
            None => Ok(JsValue::UNDEFINED),
        }
    }

    /// The trajectory file of the training or of what was restored; or the end of it, from the records of `step` (counted
    /// from 0) on.
    #[wasm_bindgen(js_name = exportTrajectory)]
    pub fn export_trajectory(&self, step: Option<u32>) -> std::result::Result<Uint8Array, JsValue> {
        let bytes = self.trajectory().and_then(|trajectory| match step {
            None => trajectory.to_bytes(),
            Some(step) => {
                let first = trajectory.records.partition_point(|record| record.step < step);
                Ok(trajectory.records[first..].iter().flat_map(Record::to_bytes).collect())
            }
        });
        Ok(Uint8Array::from(&bytes.map_err(js_error)?[..]))
    }

    /// Loss and accuracy on data, with the weights of the steps so far.
    pub async fn evaluate(
        &mut self,
        config: JsValue,
        cancel: JsValue,
    ) -> std::result::Result<JsValue, JsValue> {
        let report = self.measure(&config, &cancel).await.map_err(js_error)?;
        to_js(&Evaluated::from(report)).map_err(js_error)
    }

    /// The label of a text, with the probability of each.
    pub async fn classify(
        &mut self,
        text: String,
        options: JsValue,
    ) -> std::result::Result<JsValue, JsValue> {
        let answer = self.answer(text, &options).await.map_err(js_error)?;
        to_js(&answer).map_err(js_error)
    }

    /// Starts to continue a prompt.
    #[wasm_bindgen(js_name = startGeneration)]
    pub async fn start_generation(
        &mut self,
        prompt: String,
        options: JsValue,
    ) -> std::result::Result<(), JsValue> {
        self.start_writing(&prompt, options).await.map_err(js_error)
    }

    /// The next piece of the text; `undefined` at its end.
    #[wasm_bindgen(js_name = nextToken)]
    pub async fn next_token(&mut self) -> std::result::Result<Option<String>, JsValue> {
        self.next_piece().await.map_err(js_error)
    }

    /// The model as a safetensors file, given to `write` in chunks that are valid during the call only.
    #[wasm_bindgen(js_name = exportModel)]
    pub async fn export_model(&mut self, write: Function) -> std::result::Result<(), JsValue> {
        self.settle().await.map_err(js_error)?;
        let mut sink = |bytes: &[u8]| {
            write
                .call1(&JsValue::NULL, &Uint8Array::from(bytes))
                .map(drop)
                .map_err(|e| err!(StorageFull, "a chunk of the model could not be kept: {e:?}"))
        };
        crate::train::save_model(&self.session, &mut sink).await.map_err(js_error)
    }

    /// The adapter as peft has it: `{ config, weights }`, a text and bytes.
    #[wasm_bindgen(js_name = exportAdapter)]
    pub async fn export_adapter(&mut self) -> std::result::Result<JsValue, JsValue> {
        self.settle().await.map_err(js_error)?;
        let adapter = self.session.save_adapter().await.map_err(js_error)?;
        let parts = js_sys::Object::new();
        let set = |name: &str, value: &JsValue| js_sys::Reflect::set(&parts, &name.into(), value).map(drop);
        set("config", &adapter.config.into())?;
        set("weights", &Uint8Array::from(&adapter.weights[..]))?;
        Ok(parts.into())
    }

    /// Puts an adapter in peft's form, `files: {name, blob}[]`, beside the base weights, in the place of what was trained.
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
        let trajectory = Trajectory::parse("the trajectory", &trajectory.to_vec()).map_err(js_error)?;
        let restored = Restored::of(&trajectory).map_err(js_error)?;
        self.replay(trajectory, Some(&on_progress), &cancel).await.map_err(js_error)?;
        to_js(&restored).map_err(js_error)
    }

    /// Bytes of WebAssembly memory.
    #[wasm_bindgen(js_name = wasmMemory)]
    pub fn wasm_memory() -> f64 {
        wasm_bytes() as f64
    }
}

impl Tuner {
    async fn load(options: &JsValue, on_progress: &Function, cancel: &JsValue) -> Result<Tuner> {
        let dtype = dtype(options::text(options, "dtype").as_deref().unwrap_or("f32"))?;
        let dir = options::model_dir(options, cancel)?;
        let limits = match options::text(options, "limits").as_deref() {
            Some("default") => LimitsChoice::Default,
            None | Some("adapter") => LimitsChoice::Adapter,
            Some(other) => bail!(InvalidArgument, "limits {other:?}, expected \"default\" or \"adapter\""),
        };
        Progress { stage: "device", file: "", loaded: 0, total: 0 }.tell(on_progress);
        let gpu = Gpu::open(GpuOptions { limits }).await?;
        let max_gpu_bytes = plan::max_bytes(options)?;
        let session =
            Self::load_session(gpu.clone(), dir.as_ref(), dtype, max_gpu_bytes, on_progress, cancel).await;
        let session = session.inspect_err(|_| gpu.destroy())?;
        Ok(Tuner {
            gpu,
            session,
            state: State::Base,
            held_out: None,
            prompting: Prompting::default(),
            max_length: 0,
            diagnosis: None,
            writing: None,
            max_gpu_bytes,
        })
    }

    async fn load_session(
        gpu: Rc<Gpu>,
        dir: &dyn ModelDir,
        dtype: DType,
        max_gpu_bytes: Option<u64>,
        on_progress: &Function,
        cancel: &JsValue,
    ) -> Result<Session> {
        options::check_cancel(cancel)?;
        Progress { stage: "config", file: "config.json", loaded: 0, total: 0 }.tell(on_progress);
        let name = dir.name().to_owned();
        let session = Session::describe(gpu.limits(), dir, dtype).await?;
        plan::check_weights(&session, max_gpu_bytes)?;
        let mut progress = |p: LoadProgress| {
            options::check_cancel(cancel)?;
            let (loaded, total) = (p.loaded * 4, p.total * 4);
            Progress { stage: "weights", file: &name, loaded, total }.tell(on_progress);
            Ok(())
        };
        session.load(gpu, &mut progress).await
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
            State::Base | State::Adapted(_) | State::Unknown => {
                bail!(InvalidArgument, "nothing has been trained yet")
            }
        }
    }

    /// Applies what the last step decided, so that the weights are those of the records.
    async fn settle(&mut self) -> Result<()> {
        match &mut self.state {
            State::Training(trainer) => trainer.settle(&mut self.session).await,
            State::Torn(trajectory) => {
                let trajectory = trajectory.as_ref().clone();
                self.replay(trajectory, None, &JsValue::UNDEFINED).await
            }
            State::Unknown => {
                bail!(InvalidArgument, "the weights were left half changed: restore or train again")
            }
            State::Base | State::Adapted(_) | State::Restored(_) => Ok(()),
        }
    }

    /// Back to the base weights.
    async fn reset(&mut self) -> Result<()> {
        if !matches!(self.state, State::Base) {
            self.state = State::Unknown;
            self.session.reset(&mut |_| Ok(())).await?;
            self.state = State::Base;
        }
        Ok(())
    }

    async fn start(&mut self, config: &JsValue) -> Result<Start> {
        let given: TrainOptions = options::parse(config.clone(), "training options")?;
        let mut settings = given.settings(self.session.model.spec(), options::seed(config)?)?;
        // An adapter that was loaded is trained further, unless something else is asked for.
        let initial = match &self.state {
            State::Adapted(adapter) if given.trains(&adapter.method) => {
                settings.method = adapter.method.clone();
                adapter.values.clone()
            }
            _ => Vec::new(),
        };
        let prompting = Prompting::of(config, Prompting::default())?;
        let read =
            |name: &str, file: &str| prompting.data(&self.session, config, name, options::text(config, file));
        let data = read("data", "dataName")?.ok_or_else(|| err!(InvalidArgument, "data are missing"))?;
        let held_out = read("eval", "evalName")?;
        let wanted = given.draw()?;
        if held_out.is_some() && wanted.hold_out > 0 {
            bail!(InvalidArgument, "holdOut takes rows of data where there is no eval: give one of the two");
        }
        let (data, rest) = draw(data, wanted)?;
        let held_out = held_out.or(rest);
        let objective = prompting.objective(&self.session)?;
        let length = settings.length_for(self.session.model.spec());
        let examples = objective.encode(&self.session, &data, length)?;
        let encode = |data: Dataset| objective.encode(&self.session, &data, length);
        let held_out = held_out.map(encode).transpose()?;
        if self.max_gpu_bytes.is_some() {
            let sizes = Sizes::of(&examples, held_out.as_ref(), objective.score());
            plan::check(&self.session, &settings, &sizes, self.max_gpu_bytes).await?;
        }
        let (steps, count) = (settings.steps, examples.examples.len());
        let restored_before = matches!(self.state, State::Restored(_));
        let trials = match given.searches() && !restored_before {
            true => {
                self.reset().await?;
                let mut go_on = |_, _| Ok(());
                let (rate, trials) =
                    search(&mut self.session, &settings, &objective, &examples, &mut go_on).await?;
                settings.learning_rate = rate;
                trials
            }
            false => Vec::new(),
        };
        let learning_rate = settings.learning_rate;
        let diagnosis = Diagnosis::new(settings.steps, learning_rate, settings.epsilon);
        let mut trainer =
            Trainer::new(&self.session, settings, objective, prompting.template(&self.session)?, examples)?;
        // A restored run goes on where it was; anything else begins with the base weights.
        let restored = match &self.state {
            State::Restored(trajectory) => Some(trajectory.as_ref().clone()),
            _ => None,
        };
        match restored {
            Some(trajectory) => trainer.adopt(&mut self.session, trajectory)?,
            None => {
                self.reset().await?;
                trainer.begin(&mut self.session, &initial).await?;
            }
        }
        let first_step = trainer.done() + 1;
        self.held_out = held_out;
        self.prompting = prompting;
        self.max_length = length;
        self.state = State::Training(Box::new(trainer));
        self.diagnosis = Some(diagnosis);
        Ok(Start { first_step, steps, examples: count, warnings: Vec::new(), learning_rate, trials })
    }

    async fn stoppable_step(&mut self, cancel: JsValue) -> Result<Option<Step>> {
        self.gpu.stop_when(Some(Box::new(move || options::check_cancel(&cancel))));
        let step = self.next_step().await;
        self.gpu.stop_when(None);
        if let (Err(error), State::Training(trainer)) = (&step, &self.state)
            && error.code() == Code::Aborted
        {
            // The update before this step may be in some of the weights and not in others.
            self.state = State::Torn(Box::new(trainer.trajectory().clone()));
        }
        step
    }

    async fn next_step(&mut self) -> Result<Option<Step>> {
        let State::Training(trainer) = &mut self.state else {
            bail!(InvalidArgument, "no training has been started");
        };
        let Some(report) = trainer.step(&mut self.session).await? else {
            trainer.settle(&mut self.session).await?;
            return Ok(None);
        };
        let evaluation = match &self.held_out {
            Some(examples) if trainer.evaluation_due() => {
                Some(trainer.evaluate(&mut self.session, examples, &mut || Ok(())).await?.into())
            }
            _ => None,
        };
        Ok(Some(Step {
            step: report.step + 1,
            steps: trainer.settings().steps,
            loss_plus: report.loss_plus(),
            loss_minus: report.loss_minus(),
            projected_grad: report.projected_grad(),
            loss: report.loss(),
            learning_rate: report.learning_rate,
            ms: report.ms,
            tokens: report.tokens,
            gpu_bytes: self.session.model.backend().memory().total(),
            evaluation,
            warning: self.diagnosis.as_mut().and_then(|diagnosis| diagnosis.observe(&report)),
        }))
    }

    async fn measure(&mut self, config: &JsValue, cancel: &JsValue) -> Result<EvaluationReport> {
        let prompting = Prompting::of(config, self.prompting.clone())?;
        let data = prompting.data(&self.session, config, "data", options::text(config, "dataName"))?;
        let data = data.ok_or_else(|| err!(InvalidArgument, "data are missing"))?;
        let objective = prompting.objective(&self.session)?;
        let length = length(self.max_length, self.session.model.spec());
        let examples = objective.encode(&self.session, &data, length)?;
        self.settle().await?;
        self.session.evaluate(&objective, &examples, &mut || options::check_cancel(cancel)).await
    }

    async fn answer(&mut self, text: String, options: &JsValue) -> Result<Classification> {
        let prompting = Prompting::of(options, self.prompting.clone())?;
        let objective = prompting.objective(&self.session)?;
        let words = objective.label_words().to_vec();
        let Some(first) = words.first() else {
            bail!(InvalidArgument, "to classify, give a template and labels");
        };
        let data = prompting.row(&self.session, text, options::text(options, "textB"), first)?;
        let length = length(self.max_length, self.session.model.spec());
        let examples = objective.encode(&self.session, &data, length)?;
        self.settle().await?;
        let batch = Batch::pack(&examples.examples.iter().collect::<Vec<_>>());
        let logits = self.session.evaluate_batch(&objective, &batch).await?.label_logits;
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f64> = logits.iter().map(|l| f64::from(l - most).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mut scores: Vec<Scored> = words
            .into_iter()
            .zip(weights)
            .map(|(label, weight)| Scored { label, probability: weight / sum })
            .collect();
        scores.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let label = scores.first().map(|s| s.label.clone()).unwrap_or_default();
        Ok(Classification { label, scores })
    }

    async fn start_writing(&mut self, prompt: &str, options: JsValue) -> Result<()> {
        let seed = options::seed(&options)?;
        let given: GenerateOptions = options::parse(options, "generation options")?;
        self.settle().await?;
        let tokenizer = self.session.tokenizer()?.clone();
        let tokens = tokenizer.encode(prompt, true)?;
        let left = given.tokens()?;
        let sampling = Sampling { temperature: given.temperature as f32 };
        let generation = self.session.model.generate(&tokens, left, sampling)?;
        let (end, text) = (tokenizer.eos(), Detokenizer::new(tokenizer, true));
        self.writing = Some(Writing { generation, seed, index: 0, left, end, text });
        Ok(())
    }

    async fn next_piece(&mut self) -> Result<Option<String>> {
        let Some(writing) = &mut self.writing else { return Ok(None) };
        while writing.left > 0 {
            writing.left -= 1;
            let key = sampling_key(writing.seed, writing.index);
            writing.index += 1;
            let next = writing.generation.next(&self.session.model, key).await?;
            let Some(id) = next.filter(|id| Some(*id) != writing.end) else { break };
            // A token may end within a character: shown when the character is whole.
            if let Some(piece) = writing.text.push(id)? {
                return Ok(Some(piece));
            }
        }
        match self.writing.take() {
            Some(writing) => writing.text.finish(),
            None => Ok(None),
        }
    }

    /// Forms the weights of a trajectory from the base weights.
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
        self.max_length = trajectory.header.max_length;
        self.state = State::Restored(Box::new(trajectory));
        Ok(())
    }
}

impl Drop for Tuner {
    /// What the device holds goes with it, whatever still refers to it in JavaScript.
    fn drop(&mut self) {
        self.gpu.destroy();
    }
}

/// Bytes of this module's linear memory.
fn wasm_bytes() -> u64 {
    (core::arch::wasm32::memory_size(0) as u64) << 16
}
