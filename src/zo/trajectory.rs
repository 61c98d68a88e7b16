//! The trajectory file: all that a fine-tune is, beside the base weights. Append-only, 32 bytes a probe.
//!
//! ```text
//! "PKTLTRAJ"  u32 version = 1  u32 n  n bytes of JSON (Header)  `initial_values` x f32  u32 crc32 of all before it
//! then records of 32 bytes: u32 step, u32 probe, f32 projected_grad, f32 learning_rate, f32 decay, f32 loss_plus, f32 loss_minus,
//! u32 crc32 of the 28 bytes before it
//! ```
//! A step has as many records as it has probes, in their order, and is complete or it is not there.
//! Little-endian; crc32 as in zlib. A record is complete or it is not there: a tail that was cut while being written is
//! dropped and reported, and the run goes on from the step before.

use serde::{Deserialize, Serialize};

use super::estimator::Estimator;
pub use super::record::{RECORD_BYTES, Record};
use super::schedule::Schedule;
use crate::error::{Result, bail, err};

const MAGIC: &[u8; 8] = b"PKTLTRAJ";
const VERSION: u32 = 1;

/// The most JSON that a header may hold.
const MAX_HEADER: usize = 1 << 20;

/// The model and the settings of a run: what its records mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// `model_type` of the base model.
    pub family: String,
    /// Its parameters.
    pub parameters: u64,
    /// [`crate::model::Weights::fingerprint`] of its weights, 16 hexadecimal digits.
    pub fingerprint: String,
    /// What is trained: `"full"`, or an object of `lora` or `prefix`.
    pub method: serde_json::Value,
    /// Patterns of the tensors that are trained, where not all are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trainable: Vec<String>,
    /// How the gradient is estimated: `estimator`, `probes` and what else [`Estimator`] has.
    #[serde(flatten)]
    pub estimator: Estimator,
    /// How the matrices are stored: f32, f16, q8, q4.
    pub dtype: String,
    /// Seed of directions and data order, in decimal: JavaScript's numbers do not hold 64 bits.
    pub seed: String,
    /// Perturbation scale.
    pub epsilon: f32,
    /// Base learning rate.
    pub learning_rate: f32,
    /// Its schedule.
    pub schedule: Schedule,
    /// Weight decay.
    pub weight_decay: f32,
    /// Steps of the whole run.
    pub steps: u32,
    /// Examples a batch.
    pub batch_size: u32,
    /// Examples of a pass, where a batch takes several.
    #[serde(default)]
    pub micro_batch: u32,
    /// What is made small: `loss`, `accuracy` or `f1`.
    #[serde(default)]
    pub objective: Measure,
    /// Tokens that an example is cut to.
    pub max_length: u32,
    /// Fingerprint of the training data, 16 hexadecimal digits.
    pub data: String,
    /// The task by name, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Prompt template, for classification.
    pub template: Option<String>,
    /// Label words, for classification.
    pub labels: Vec<String>,
    /// The matmul tiles when the run began. Other tiles change the last bits of the losses, so a resumed run keeps them.
    #[serde(default)]
    pub tiles: String,
    /// Values that follow the JSON, f32: what an adapter begins as, where that does not follow from the seed.
    #[serde(default)]
    pub initial_values: u64,
    /// Those values.
    #[serde(skip)]
    pub initial: Vec<f32>,
}

/// What a run makes small, on the examples of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The mean cross-entropy of the targets.
    #[default]
    Loss,
    /// The part of the targets that are not predicted.
    Accuracy,
    /// 1 - the mean over the examples of the F1 of predicted tokens, each predicted from the right ones before it.
    F1,
}

impl Header {
    /// The seed as a number.
    ///
    /// # Errors
    /// `file-corrupt` when it is not one.
    pub fn seed(&self) -> Result<u64> {
        self.seed.parse().map_err(|_| err!(FileCorrupt, "trajectory: seed {:?} is not a number", self.seed))
    }

    /// The first bytes of a file with this header.
    ///
    /// # Errors
    /// `invalid-argument` when the settings cannot be written as JSON, or are too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|e| err!(InvalidArgument, "trajectory header: {e}"))?;
        if json.len() > MAX_HEADER {
            bail!(InvalidArgument, "trajectory header: {} bytes, at most {MAX_HEADER}", json.len());
        }
        if self.initial_values != self.initial.len() as u64 {
            let (said, have) = (self.initial_values, self.initial.len());
            bail!(InvalidArgument, "trajectory header: {said} initial values, there are {have}");
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((json.len() as u32).to_le_bytes());
        bytes.extend(json);
        bytes.extend_from_slice(bytemuck::cast_slice(&self.initial));
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_le_bytes());
        Ok(bytes)
    }

    /// Compares with the settings of another run, before its records are used.
    ///
    /// # Errors
    /// `trajectory-mismatch` naming the first setting that differs.
    pub fn check_same_run(&self, other: &Header) -> Result<()> {
        let (mine, theirs) = (serde_json::to_value(self), serde_json::to_value(other));
        let (Ok(serde_json::Value::Object(mine)), Ok(serde_json::Value::Object(theirs))) = (mine, theirs)
        else {
            bail!(InvalidArgument, "trajectory header: cannot be written as JSON");
        };
        for (field, value) in &mine {
            if theirs.get(field) != Some(value) {
                let found = theirs.get(field).unwrap_or(&serde_json::Value::Null);
                bail!(TrajectoryMismatch, "the trajectory was made with {field} {value}, not {found}");
            }
        }
        Ok(())
    }

    /// Compares with the model that records are to be replayed on.
    ///
    /// # Errors
    /// `trajectory-mismatch` saying how they differ.
    pub fn check_model(&self, family: &str, parameters: u64, fingerprint: u64) -> Result<()> {
        if self.family != family || self.parameters != parameters {
            bail!(
                TrajectoryMismatch,
                "the trajectory was made with a {} model of {} parameters, this is a {family} model of {parameters}",
                self.family,
                self.parameters
            );
        }
        let found = hex(fingerprint);
        if self.fingerprint != found {
            let expected = &self.fingerprint;
            bail!(
                TrajectoryMismatch,
                "the trajectory was made with other weights: fingerprint {expected}, this model's is {found}"
            );
        }
        Ok(())
    }
}

/// 16 hexadecimal digits.
pub fn hex(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}

/// A trajectory as read.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Model and settings.
    pub header: Header,
    /// Probes of step 0, of step 1, ...
    pub records: Vec<Record>,
    /// Bytes at the end that are no complete record, and were left out.
    pub torn_bytes: usize,
}

impl Trajectory {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// `file-corrupt` naming the place, unless only the last record is incomplete: see [`Trajectory::torn_bytes`].
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Trajectory> {
        let (header, body) = parse_header(name, bytes)?;
        let probes = header.estimator.probes as usize;
        let mut records: Vec<Record> = Vec::with_capacity(body.len() / RECORD_BYTES);
        let mut torn_bytes = 0;
        for (index, chunk) in body.chunks(RECORD_BYTES).enumerate() {
            let Some(record) = Record::from_bytes(chunk) else {
                torn_bytes = body.len() - index * RECORD_BYTES;
                if torn_bytes > RECORD_BYTES {
                    bail!(FileCorrupt, "{name}: record {index} is damaged, and others follow it");
                }
                break;
            };
            if (record.step as usize, record.probe as usize) != (index / probes, index % probes) {
                bail!(
                    FileCorrupt,
                    "{name}: record {index} is of step {}, probe {}",
                    record.step,
                    record.probe
                );
            }
            let finite =
                [record.projected_grad, record.learning_rate, record.decay].iter().all(|x| x.is_finite());
            if !finite {
                bail!(FileCorrupt, "{name}: record {index} has a value that is not finite");
            }
            records.push(record);
        }
        // A step of which not all probes are there is not there.
        let whole = records.len() / probes * probes;
        torn_bytes += (records.len() - whole) * RECORD_BYTES;
        records.truncate(whole);
        Ok(Trajectory { header, records, torn_bytes })
    }

    /// Whole steps.
    pub fn steps(&self) -> u32 {
        (self.records.len() / self.header.estimator.probes.max(1) as usize) as u32
    }

    /// Whether a file ends before its header does: its writer was stopped before anything was trained.
    pub fn is_unbegun(bytes: &[u8]) -> bool {
        let begins = bytes.iter().zip(MAGIC).all(|(found, expected)| found == expected);
        let Some(length) = bytes.get(12..).and_then(|rest| rest.first_chunk::<4>()) else { return begins };
        let length = u32::from_le_bytes(*length) as usize;
        let Some(json) = bytes.get(16..).and_then(|rest| rest.get(..length)) else {
            return begins && length <= MAX_HEADER;
        };
        let values = serde_json::from_slice::<Header>(json).map_or(0, |header| header.initial_values);
        let end = values.saturating_mul(4).saturating_add(16 + length as u64 + 4);
        begins && length <= MAX_HEADER && (bytes.len() as u64) < end
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// Those of [`Header::to_bytes`].
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = self.header.to_bytes()?;
        bytes.extend(self.records.iter().flat_map(Record::to_bytes));
        Ok(bytes)
    }
}

fn parse_header<'a>(name: &str, bytes: &'a [u8]) -> Result<(Header, &'a [u8])> {
    let short = || err!(FileCorrupt, "{name}: ends within its header, at {} bytes", bytes.len());
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or_else(short)?;
    if magic != MAGIC {
        bail!(FileCorrupt, "{name}: not a trajectory file, it begins with {magic:02x?}");
    }
    let (version, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        bail!(FileCorrupt, "{name}: version {version}, expected {VERSION}");
    }
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_HEADER {
        bail!(FileCorrupt, "{name}: header of {length} bytes, at most {MAX_HEADER}");
    }
    let (json, rest) = rest.split_at_checked(length).ok_or_else(short)?;
    // A damaged JSON is told by the checksum, unless it no longer says where that is.
    let parsed: serde_json::Result<Header> = serde_json::from_slice(json);
    let values = parsed.as_ref().map_or(0, |header| header.initial_values);
    let split = usize::try_from(values.saturating_mul(4)).ok().and_then(|len| rest.split_at_checked(len));
    let (initial, rest) = split.ok_or_else(short)?;
    let (crc, body) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    if crc32fast::hash(&bytes[..bytes.len() - body.len() - 4]) != u32::from_le_bytes(*crc) {
        bail!(FileCorrupt, "{name}: the header's checksum does not match");
    }
    let mut header = parsed.map_err(|e| err!(FileCorrupt, "{name}: header: {e}"))?;
    header.estimator.check().map_err(|e| err!(FileCorrupt, "{name}: header: {}", e.message()))?;
    header.initial = bytemuck::pod_collect_to_vec(initial);
    Ok((header, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn sample() -> Trajectory {
        let header = Header {
            family: "bert".into(),
            parameters: 10,
            fingerprint: hex(7),
            method: "full".into(),
            trainable: Vec::new(),
            estimator: Estimator::default(),
            dtype: "f32".into(),
            seed: u64::MAX.to_string(),
            epsilon: 1e-3,
            learning_rate: 1e-5,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            steps: 3,
            batch_size: 8,
            micro_batch: 0,
            objective: Measure::Loss,
            max_length: 128,
            data: hex(9),
            task: None,
            template: Some("{text} [MASK]".into()),
            labels: vec!["a".into(), "b".into()],
            tiles: String::new(),
            initial_values: 2,
            initial: vec![0.5, -1.5],
        };
        let record = |step| Record {
            step,
            probe: 0,
            projected_grad: 0.5,
            learning_rate: 1e-5,
            decay: 1.0,
            loss_plus: 0.7,
            loss_minus: 0.6,
        };
        Trajectory { header, records: (0..3).map(record).collect(), torn_bytes: 0 }
    }

    #[test]
    fn what_is_written_is_read() {
        let trajectory = sample();
        assert_eq!(Trajectory::parse("t", &trajectory.to_bytes().unwrap()).unwrap(), trajectory);
    }

    #[test]
    fn every_cut_gives_whole_records_or_a_clear_error() {
        let bytes = sample().to_bytes().unwrap();
        let header = bytes.len() - 3 * RECORD_BYTES;
        for cut in 0..bytes.len() {
            match Trajectory::parse("t", &bytes[..cut]) {
                Ok(read) => {
                    assert!(cut >= header);
                    assert_eq!(read.records.len(), (cut - header) / RECORD_BYTES);
                    assert_eq!(read.torn_bytes, (cut - header) % RECORD_BYTES);
                }
                Err(error) => assert!(cut < header && error.code() == Code::FileCorrupt, "{cut}: {error}"),
            }
            assert_eq!(Trajectory::is_unbegun(&bytes[..cut]), cut < header, "{cut}");
        }
    }

    #[test]
    fn another_file_is_no_run_that_did_not_begin() {
        for bytes in [&b"notes"[..], b"PKTLTRAJ\x01\0\0\0\xff\xff\xff\xff"] {
            assert!(!Trajectory::is_unbegun(bytes));
            assert_eq!(Trajectory::parse("t", bytes).unwrap_err().code(), Code::FileCorrupt);
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = sample().to_bytes().unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            match Trajectory::parse("t", &damaged) {
                Ok(read) => assert_eq!(read.torn_bytes, RECORD_BYTES, "byte {at}"),
                Err(error) => assert_eq!(error.code(), Code::FileCorrupt),
            }
        }
    }
}
