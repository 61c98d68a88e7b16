//! A run's directory: `trajectory.pocket` and `log.jsonl`, which remain valid if the process is killed at any moment.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::figures;
use super::files::{self, make_dir, name, write_error};
use crate::error::{Result, bail};
use crate::train::EvaluationReport;
use crate::train::Trajectory;
use crate::zo::record::Record;

pub(super) const TRAJECTORY: &str = "trajectory.pocket";
pub(super) const LOG: &str = "log.jsonl";

/// The files of a run.
pub(super) const FILES: &[&str] = &[TRAJECTORY, LOG];

/// The approximate number of bytes that a probe adds to the files: its record and its share of the log.
pub(super) const BYTES_OF_STEP: u64 = 256;

/// An open run.
pub(super) struct RunDir {
    trajectory_path: PathBuf,
    trajectory: File,
    log_path: PathBuf,
    log: File,
    /// The steps after which there was an evaluation, with its loss.
    evaluated: Vec<(u64, f64)>,
}

impl RunDir {
    /// The trajectory of the run in `dir`, if there is one.
    ///
    /// # Errors
    /// `file-corrupt` if it is damaged before its last record.
    pub(super) fn existing(dir: &Path) -> Result<Option<Trajectory>> {
        let path = dir.join(TRAJECTORY);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => bail!(InvalidArgument, "{}: {error}", path.display()),
        };
        // A run whose files cannot be written cannot continue; this is detected before the model is loaded.
        for path in FILES.iter().map(|name| dir.join(name)).filter(|path| path.exists()) {
            File::options().append(true).open(&path).map_err(|e| write_error(&path, &e))?;
        }
        if Trajectory::is_unbegun(&bytes) {
            return Ok(None);
        }
        Trajectory::parse(&name(&path), &bytes).map(Some)
    }

    /// Starts or continues the files. An incomplete record at the end of the trajectory is removed. Log lines of steps that are not
    /// in the trajectory are dropped, and lines of steps that are only in the trajectory are written again, without their time.
    ///
    /// # Errors
    /// `storage-full`, or `invalid-argument` if the files cannot be written.
    pub(super) fn open(dir: &Path, run: &Trajectory) -> Result<RunDir> {
        make_dir(dir)?;
        let trajectory_path = dir.join(TRAJECTORY);
        let log_path = dir.join(LOG);
        let bytes = run.to_bytes()?;
        let whole = bytes.len() as u64;
        // A run that is extended gets a new header, and its records move with it. A readout that is missing because the process was
        // killed has been fitted since the file was read.
        if !begins_with(&trajectory_path, &bytes) {
            files::write(&trajectory_path, &bytes)?;
        }
        let failed = |e: io::Error| write_error(&trajectory_path, &e);
        let mut trajectory = File::options().write(true).open(&trajectory_path).map_err(failed)?;
        trajectory.set_len(whole).and_then(|()| trajectory.seek(SeekFrom::Start(whole))).map_err(failed)?;
        // A truncated or damaged log line is restored from the trajectory.
        let old = match std::fs::read(&log_path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(write_error(&log_path, &error)),
        };
        let probes = run.header.settings.estimator.probes.max(1) as usize;
        let (lines, evaluated) = repaired(&String::from_utf8_lossy(&old), &run.records, probes);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        // Evaluations and times are in no other file, so this write must not lose the log if the process is killed.
        files::write(&log_path, text)?;
        let log = File::options().append(true).open(&log_path).map_err(|e| write_error(&log_path, &e))?;
        Ok(RunDir { trajectory_path, trajectory, log_path, log, evaluated })
    }

    /// Appends the last step of a run, with its number of tokens. The records are written first, because they alone define the run.
    ///
    /// # Errors
    /// `storage-full`, or `invalid-argument` if the files cannot be written.
    pub(super) fn step(&mut self, run: &Trajectory, ms: f64, tokens: usize) -> Result<()> {
        let bytes = run.bytes_from(run.steps().saturating_sub(1));
        let probes = run.records.rchunks(run.header.settings.estimator.probes.max(1) as usize).next();
        let probes = probes.unwrap_or_default();
        files::append(&mut self.trajectory, &self.trajectory_path, &bytes)?;
        self.line(&step_line(probes, json!((ms * 1e3).round() / 1e3), json!(tokens)))
    }

    /// Appends an evaluation after `step` steps.
    ///
    /// # Errors
    /// The errors of [`RunDir::step`].
    pub(super) fn evaluation(&mut self, step: u32, report: &EvaluationReport) -> Result<()> {
        self.evaluated.push((step.into(), report.loss));
        let mut line = json!({ "step": step, "eval_loss": report.loss, "eval_accuracy": report.accuracy });
        for (name, value) in figures::fields(report) {
            line[format!("eval_{name}")] = value;
        }
        self.line(&line)
    }

    /// Removes from the files the steps that the run no longer has: the last ones, if it was stopped because its loss exploded.
    ///
    /// # Errors
    /// The errors of [`RunDir::open`].
    pub(super) fn keep(&mut self, trajectory: &Trajectory) -> Result<()> {
        let dir = self.path().to_owned();
        *self = RunDir::open(&dir, trajectory)?;
        self.sync()
    }

    /// Whether the log has the evaluation after `step` steps.
    pub(super) fn has_evaluation(&self, step: u32) -> bool {
        self.evaluated.iter().any(|(evaluated, _)| *evaluated == u64::from(step))
    }

    /// The step whose evaluation has the lowest loss, or the first of several equal ones.
    pub(super) fn best_step(&self) -> Option<u32> {
        let best = self.evaluated.iter().min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        best.and_then(|(step, _)| u32::try_from(*step).ok())
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        self.trajectory_path.parent().unwrap_or(Path::new("."))
    }

    /// Removes the log of a run that took no step, before another run begins in its directory.
    ///
    /// # Errors
    /// `invalid-argument` if it cannot be removed.
    pub(super) fn forget_log(dir: &Path) -> Result<()> {
        let path = dir.join(LOG);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(write_error(&path, &error)),
            _ => Ok(()),
        }
    }

    /// Waits until all data is on disk.
    ///
    /// # Errors
    /// `storage-full`, or `invalid-argument`.
    pub(super) fn sync(&self) -> Result<()> {
        self.trajectory.sync_data().map_err(|e| write_error(&self.trajectory_path, &e))?;
        self.log.sync_data().map_err(|e| write_error(&self.log_path, &e))
    }

    fn line(&mut self, value: &Value) -> Result<()> {
        files::append(&mut self.log, &self.log_path, format!("{value}\n").as_bytes())
    }
}

/// Whether a file starts with these bytes.
fn begins_with(path: &Path, start: &[u8]) -> bool {
    let mut found = vec![0; start.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut found)).is_ok() && found == start
}

/// Steps are counted from 1 here: the value is the number of completed steps.
fn step_line(probes: &[Record], ms: Value, tokens: Value) -> Value {
    // Means over the probes; the trajectory has the values of each probe.
    let mean = |of: fn(&Record) -> f32| {
        (probes.iter().map(|r| f64::from(of(r))).sum::<f64>() / probes.len().max(1) as f64) as f32
    };
    json!({
        "step": probes.first().map_or(0, |r| r.step + 1),
        "loss_plus": shortest(mean(|r| r.loss_plus)),
        "loss_minus": shortest(mean(|r| r.loss_minus)),
        "projected_grad": shortest(mean(|r| r.projected_grad)),
        "lr": shortest(mean(|r| r.learning_rate)),
        "tokens": tokens,
        "ms": ms,
    })
}

/// The shortest number that is read as this `f32`; null if it is not finite.
fn shortest(value: f32) -> Value {
    json!(value.to_string().parse::<f64>().unwrap_or(f64::NAN))
}

/// The log lines that match the records, in order, and the steps after which there was an evaluation, with its loss. Lines are kept
/// verbatim: numbers that are parsed and written again may differ in their last digit.
fn repaired(old: &str, records: &[Record], probes: usize) -> (Vec<String>, Vec<(u64, f64)>) {
    struct Line<'a> {
        text: &'a str,
        step: Option<u64>,
        evaluation: Option<f64>,
        losses: bool,
    }
    let read = |text| {
        let value: Value = serde_json::from_str(text).ok()?;
        let evaluation = value.get("eval_loss").map(|loss| loss.as_f64().unwrap_or(f64::INFINITY));
        let losses = value.get("loss_plus").is_some();
        Some(Line { text, step: value.get("step").and_then(Value::as_u64), evaluation, losses })
    };
    let lines: Vec<Line<'_>> = old.lines().filter_map(read).collect();
    let (mut kept, mut evaluated) = (Vec::new(), Vec::new());
    for step in 0..=(records.len() / probes) as u64 {
        let of_step = || lines.iter().filter(move |line| line.step == Some(step));
        if let Some(records) =
            step.checked_sub(1).and_then(|index| records.chunks(probes).nth(index as usize))
        {
            let written = || step_line(records, Value::Null, Value::Null).to_string();
            kept.push(of_step().find(|line| line.losses).map_or_else(written, |line| line.text.to_owned()));
        }
        if let Some((line, loss)) = of_step().find_map(|line| Some((line, line.evaluation?))) {
            kept.push(line.text.to_owned());
            evaluated.push((step, loss));
        }
    }
    (kept, evaluated)
}
