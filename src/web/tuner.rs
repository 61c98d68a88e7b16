//! The tuner: a loaded model, and the training, evaluation or generation under way on it.

use std::rc::Rc;

use js_sys::{Function, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::js_error;
use super::options::{self, GenerateOptions, Progress, Prompting, TrainOptions, to_js};
use super::plan;
use super::report::{Classification, Evaluated, GpuBytes, Info, Scored, Start, Step};
use crate::error::{Result, bail, err};
use crate::gpu::{Backend, Gpu, GpuOptions, LimitsChoice};
use crate::model::{Generation, LoadProgress, Sampling};
use crate::text::batch::Batch;
use crate::text::dataset::Dataset;
use crate::text::stream::Detokenizer;
use crate::train::{
    EvaluationReport, Examples, Session, Sizes, Trainer, draw, dtype, dtype_name, length, replay,
};
use crate::zo::random::sampling_key;
use crate::zo::trajectory::Trajectory;

/// What the weights on the device are.
enum State {
    /// The base model's.
    Base,
    /// Those of a run.
    Training(Box<Trainer>),
    /// Those of a trajectory.
    Restored(Box<Trajectory>),
    /// Neither: a replay or reload was broken off.
    Unknown,
}

struct Writing {
    generation: Generation,
    seed: u64,
    index: u32,
    left: u32,
    tokens: Vec<u32>,
    shown: usize,
}

/// A loaded model.
#[wasm_bindgen]
pub struct Tuner {
    session: Session,
    state: State,
    held_out: Option<Examples>,
    /// As the last training or restored trajectory had it.
    prompting: Prompting,
    /// Tokens that examples are cut to, as the last training or restored trajectory had it; 0: the default.
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

    /// One step of the training; `undefined` when it is complete.
    pub async fn step(&mut self) -> std::result::Result<JsValue, JsValue> {
        match self.next_step().await.map_err(js_error)? {
            Some(step) => to_js(&step).map_err(js_error),
            None => Ok(JsValue::UNDEFINED),
        }
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

    /// The trajectory file of the training or of what was restored.
    #[wasm_bindgen(js_name = exportTrajectory)]
    pub fn export_trajectory(&self) -> std::result::Result<Uint8Array, JsValue> {
        let bytes = match &self.state {
            State::Training(trainer) => trainer.trajectory().to_bytes(),
            State::Restored(trajectory) => trajectory.to_bytes(),
            State::Base | State::Unknown => Err(err!(InvalidArgument, "nothing has been trained yet")),
        };
        Ok(Uint8Array::from(&bytes.map_err(js_error)?[..]))
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

    /// Replays a trajectory onto the base weights; returns `{ step }`, the steps done.
    pub async fn restore(&mut self, trajectory: Uint8Array) -> std::result::Result<JsValue, JsValue> {
        let steps = self.replay(&trajectory.to_vec()).await.map_err(js_error)?;
        to_js(&serde_json::json!({ "step": steps })).map_err(js_error)
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
        let dir = options::model_dir(options)?;
        let limits = match options::text(options, "limits").as_deref() {
            Some("default") => LimitsChoice::Default,
            None | Some("adapter") => LimitsChoice::Adapter,
            Some(other) => bail!(InvalidArgument, "limits {other:?}, expected \"default\" or \"adapter\""),
        };
        Progress { stage: "device", file: "", loaded: 0, total: 0 }.tell(on_progress);
        let gpu = Gpu::open(GpuOptions { limits }).await?;
        options::check_cancel(cancel)?;
        Progress { stage: "config", file: "config.json", loaded: 0, total: 0 }.tell(on_progress);
        let name = dir.name().to_owned();
        let backend: Rc<dyn Backend> = gpu;
        let max_gpu_bytes = plan::max_bytes(options)?;
        let session = Session::describe(backend.limits(), dir.as_ref(), dtype).await?;
        plan::check_weights(&session, max_gpu_bytes)?;
        let mut progress = |p: LoadProgress| {
            options::check_cancel(cancel)?;
            let (loaded, total) = (p.loaded * 4, p.total * 4);
            Progress { stage: "weights", file: &name, loaded, total }.tell(on_progress);
            Ok(())
        };
        let session = session.load(backend, &mut progress).await?;
        Ok(Tuner {
            session,
            state: State::Base,
            held_out: None,
            prompting: Prompting::default(),
            max_length: 0,
            writing: None,
            max_gpu_bytes,
        })
    }

    /// Applies what the last step decided, so that the weights are those of the records.
    async fn settle(&mut self) -> Result<()> {
        match &mut self.state {
            State::Training(trainer) => trainer.settle(&mut self.session).await,
            State::Unknown => {
                bail!(InvalidArgument, "the weights were left half changed: restore or train again")
            }
            State::Base | State::Restored(_) => Ok(()),
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
        let settings = given.settings(options::seed(config)?)?;
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
        let mut trainer =
            Trainer::new(&self.session, settings, objective, prompting.template(&self.session)?, examples)?;
        // A restored run goes on where it was; anything else begins with the base weights.
        let restored = match &self.state {
            State::Restored(trajectory) => Some(trajectory.as_ref().clone()),
            _ => None,
        };
        match restored {
            Some(trajectory) => trainer.adopt(&self.session, trajectory)?,
            None => {
                self.reset().await?;
                trainer.begin(&mut self.session, &[]).await?;
            }
        }
        let first_step = trainer.done() + 1;
        self.held_out = held_out;
        self.prompting = prompting;
        self.max_length = length;
        self.state = State::Training(Box::new(trainer));
        Ok(Start { first_step, steps, examples: count, warnings: Vec::new() })
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
        let tokens = self.session.tokenizer()?.encode(prompt, true)?;
        let left = given.tokens()?;
        let sampling = Sampling { temperature: given.temperature as f32 };
        let generation = self.session.model.generate(&tokens, left, sampling)?;
        self.writing = Some(Writing { generation, seed, index: 0, left, tokens: Vec::new(), shown: 0 });
        Ok(())
    }

    async fn next_piece(&mut self) -> Result<Option<String>> {
        let Some(writing) = &mut self.writing else { return Ok(None) };
        let tokenizer = self.session.tokenizer()?;
        while writing.left > 0 {
            writing.left -= 1;
            let key = sampling_key(writing.seed, writing.index);
            writing.index += 1;
            let next = writing.generation.next(&self.session.model, key).await?;
            let Some(id) = next.filter(|id| Some(*id) != tokenizer.eos()) else { break };
            writing.tokens.push(id);
            // A token may end within a character: shown when the character is whole.
            let mut text = Detokenizer::new(tokenizer, true);
            let mut whole = String::new();
            for id in &writing.tokens {
                whole += &text.push(*id)?.unwrap_or_default();
            }
            if whole.len() > writing.shown {
                let piece = whole.split_off(writing.shown);
                writing.shown += piece.len();
                return Ok(Some(piece));
            }
        }
        self.writing = None;
        Ok(None)
    }

    async fn replay(&mut self, bytes: &[u8]) -> Result<u32> {
        let trajectory = Trajectory::parse("the trajectory", bytes)?;
        self.reset().await?;
        self.state = State::Unknown;
        if let Err(error) = replay(&mut self.session, &trajectory, &mut |_| Ok(())).await {
            if error.code() == crate::error::Code::TrajectoryMismatch {
                self.state = State::Base;
            }
            return Err(error);
        }
        self.prompting = Prompting::of_run(&trajectory.header)?;
        self.max_length = trajectory.header.max_length;
        let steps = trajectory.steps();
        self.state = State::Restored(Box::new(trajectory));
        Ok(steps)
    }
}

/// Bytes of this module's linear memory.
fn wasm_bytes() -> u64 {
    (core::arch::wasm32::memory_size(0) as u64) << 16
}
