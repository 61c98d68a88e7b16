//! The trajectory file: everything that defines a fine-tune besides the base weights. It is append-only, with 32 bytes per probe.
//!
//! ```text
//! "PKTLTRAJ"  u32 version = 1  u32 n  n bytes of JSON (Header)  `initial_halves` x f16, the other `initial_values` x f32  u32 crc32 of all before it
//! then records of 32 bytes: u32 step, u32 probe, f32 projected_grad, f32 learning_rate, f32 decay, f32 loss_plus, f32 loss_minus,
//! u32 crc32 of the 28 bytes before it
//! ```
//!
//! A step has as many records as it has probes, in order of the probes. An incomplete step is dropped. A run of method readout has
//! no records. Its values are the fitted classifier: for each label, in the order of the header's list, its weights on the `hidden`
//! features, then for each label its bias. That is 4 * labels * (hidden + 1) bytes: 3,080 for two labels and 384 features. With a
//! template, the values are those of the fitted head on label words instead, in the order of [`crate::fit::WordHead::values`].
//!
//! A run from a readout stores the initial readout after the adapter's values in the header. With [`Settings::refit_every`] = n,
//! every n steps of records are followed by the readout that was fitted after them: `refit_values` x f32 in the order above, and
//! the u32 crc32 of these bytes. For two labels and 384 features that is 3,084 bytes, about as much as the records of 96 one-probe
//! steps. The readout is stored, and not refitted on replay, because the last bits of features differ between devices.
//!
//! All values are little-endian; crc32 is that of zlib. A partly written record or readout at the end is dropped and reported, and
//! the run continues from the previous step.

use super::header::{Header, MAGIC, MAX_HEADER, VERSION};
use super::method::{LoraA, Method};
use super::settings::Settings;
use crate::error::{Result, bail, err};
use crate::zo::record::{RECORD_BYTES, Record};

/// A trajectory read from a file.
///
/// ```
/// use pocketllm::train::Trajectory;
///
/// let error = Trajectory::parse("run.pocket", b"something else").unwrap_err();
/// assert_eq!(error.code().as_str(), "file-corrupt");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Model and settings.
    pub header: Header,
    /// The probes of step 0, then those of step 1, and so on.
    pub records: Vec<Record>,
    /// The readouts that were refitted during the run, one per [`Settings::refit_every`] steps.
    pub refits: Vec<Vec<f32>>,
    /// Number of bytes at the end that did not form a complete step or readout and were dropped.
    pub torn_bytes: usize,
}

impl Trajectory {
    /// Parses the bytes of a file.
    ///
    /// # Errors
    /// `file-corrupt` naming the position, unless only the end of the file is incomplete: see [`Trajectory::torn_bytes`].
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Trajectory> {
        let (header, body) = parse_header(name, bytes)?;
        let probes = header.settings.estimator.probes as usize;
        // The header of a damaged file may have any numbers.
        let between = (header.settings.refit_every as usize).saturating_mul(probes);
        let refit_bytes = header.refit_bytes();
        let mut records: Vec<Record> = Vec::with_capacity(body.len() / RECORD_BYTES);
        let mut refits = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            if between > 0 && records.len() == between.saturating_mul(refits.len() + 1) {
                let Some(values) = rest.get(..refit_bytes).and_then(refit) else {
                    if rest.len() > refit_bytes {
                        bail!(
                            FileCorrupt,
                            "{name}: readout {} is damaged, and records follow it",
                            refits.len()
                        );
                    }
                    break;
                };
                rest = &rest[refit_bytes..];
                refits.push(values);
                continue;
            }
            let index = records.len();
            let Some(record) = rest.get(..RECORD_BYTES).and_then(Record::from_bytes) else {
                if rest.len() > RECORD_BYTES {
                    bail!(FileCorrupt, "{name}: record {index} is damaged, and others follow it");
                }
                break;
            };
            if (record.step as usize, record.probe as usize) != (index / probes, index % probes) {
                bail!(
                    FileCorrupt,
                    "{name}: record {index} belongs to step {}, probe {}",
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
            rest = &rest[RECORD_BYTES..];
        }
        // A step without all of its probes is dropped.
        let whole = records.len() / probes * probes;
        let torn_bytes = rest.len() + (records.len() - whole) * RECORD_BYTES;
        records.truncate(whole);
        Ok(Trajectory { header, records, refits, torn_bytes })
    }

    /// Number of complete steps.
    pub fn steps(&self) -> u32 {
        (self.records.len() / self.header.settings.estimator.probes.max(1) as usize) as u32
    }

    /// Whether a file ends within its header, because its writer was stopped before anything was trained.
    pub fn is_unbegun(bytes: &[u8]) -> bool {
        let begins = bytes.iter().zip(MAGIC).all(|(found, expected)| found == expected);
        let Some(length) = bytes.get(12..).and_then(|rest| rest.first_chunk::<4>()) else { return begins };
        let length = u32::from_le_bytes(*length) as usize;
        let Some(json) = bytes.get(16..).and_then(|rest| rest.get(..length)) else {
            return begins && length <= MAX_HEADER;
        };
        let values = serde_json::from_slice::<Header>(json).map_or(0, |header| header.initial_bytes());
        let end = values.saturating_add(16 + length as u64 + 4);
        begins && length <= MAX_HEADER && (bytes.len() as u64) < end
    }

    /// Whether the readout must be fitted again before the next step.
    pub(super) fn refit_due(&self) -> bool {
        let (steps, every) = (self.steps(), self.header.settings.refit_every);
        every > 0 && steps.is_multiple_of(every) && (self.refits.len() as u32) < steps / every
    }

    /// Drops all steps after the first `steps`.
    pub(super) fn truncate(&mut self, steps: u32) {
        self.records.truncate(steps as usize * self.header.settings.estimator.probes as usize);
        self.refits.truncate(steps.checked_div(self.header.settings.refit_every).unwrap_or(0) as usize);
    }

    /// The header with the latest readout in place of the initial one. It describes the model after the steps so far.
    pub fn latest_header(&self) -> Header {
        let mut header = self.header.clone();
        if let Some(last) = self.refits.last() {
            let adapter = header.initial.len().saturating_sub(last.len());
            header.initial.truncate(adapter);
            header.initial.extend(last);
        }
        header
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// The errors of [`Header::to_bytes`].
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = self.header.to_bytes()?;
        bytes.extend(self.bytes_from(0));
        Ok(bytes)
    }

    /// The file's bytes after the header, starting at the records of `step` (counted from 0).
    pub fn bytes_from(&self, step: u32) -> Vec<u8> {
        let Settings { estimator, refit_every, .. } = &self.header.settings;
        let (probes, every) = (estimator.probes.max(1) as usize, *refit_every as usize);
        let first = (step as usize).saturating_mul(probes).min(self.records.len());
        let mut bytes = Vec::new();
        for (done, records) in (step as usize + 1..).zip(self.records[first..].chunks(probes)) {
            bytes.extend(records.iter().flat_map(Record::to_bytes));
            if every > 0
                && done.is_multiple_of(every)
                && let Some(values) = self.refits.get(done / every - 1)
            {
                let values: &[u8] = bytemuck::cast_slice(values);
                bytes.extend_from_slice(values);
                bytes.extend(crc32fast::hash(values).to_le_bytes());
            }
        }
        bytes
    }
}

/// The values of a readout, if the checksum matches and all of them are finite.
fn refit(bytes: &[u8]) -> Option<Vec<f32>> {
    let (values, crc) = bytes.split_last_chunk::<4>()?;
    let parsed: Vec<f32> = bytemuck::pod_collect_to_vec::<u8, f32>(values);
    let whole = crc32fast::hash(values) == u32::from_le_bytes(*crc);
    (whole && parsed.iter().all(|value| value.is_finite())).then_some(parsed)
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
        bail!(FileCorrupt, "{name}: header of {length} bytes, expected at most {MAX_HEADER}");
    }
    let (json, rest) = rest.split_at_checked(length).ok_or_else(short)?;
    // The checksum reveals damaged JSON, unless the damage hides where the checksum is.
    let parsed: serde_json::Result<Header> = serde_json::from_slice(json);
    let values = parsed.as_ref().map_or(0, Header::initial_bytes);
    let split = usize::try_from(values).ok().and_then(|len| rest.split_at_checked(len));
    let (initial, rest) = split.ok_or_else(short)?;
    let (crc, body) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    if crc32fast::hash(&bytes[..bytes.len() - body.len() - 4]) != u32::from_le_bytes(*crc) {
        bail!(FileCorrupt, "{name}: the header's checksum does not match");
    }
    let mut header = parsed.map_err(|e| err!(FileCorrupt, "{name}: header: {e}"))?;
    let Settings { estimator, optimizer, .. } = &header.settings;
    let checked = estimator.check().and_then(|()| optimizer.check(estimator));
    checked.map_err(|e| err!(FileCorrupt, "{name}: header: {}", e.message()))?;
    header.read_initial(initial);
    if header.initial.len() as u64 != header.initial_values {
        let (halves, values) = (header.initial_halves, header.initial_values);
        bail!(FileCorrupt, "{name}: header: {halves} of {values} initial values are f16");
    }
    let (refit, initial) = (u64::from(header.refit_values), header.initial_values);
    let every = header.settings.refit_every;
    if (refit > 0) != (every > 0) || refit > initial {
        bail!(
            FileCorrupt,
            "{name}: header: refit_values {refit} does not match refit_every {every} and {initial} initial values"
        );
    }
    if let Some(value) = header.initial.iter().find(|value| !value.is_finite()) {
        bail!(FileCorrupt, "{name}: header: an initial value is {value}, expected finite numbers");
    }
    if header.initial.is_empty()
        && matches!(header.settings.method, Method::Lora { a: LoraA::Activations, .. })
    {
        bail!(FileCorrupt, "{name}: the header has no initial values, which an activation basis consists of");
    }
    Ok((header, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::model::Pooling;
    use crate::train::header::hex;

    fn sample() -> Trajectory {
        let header = Header {
            family: "bert".into(),
            parameters: 10,
            fingerprint: hex(7),
            settings: Settings { seed: u64::MAX, steps: 3, max_length: 128, ..Settings::default() },
            dtype: "f32".into(),
            data: hex(9),
            task: None,
            template: Some("{text} [MASK]".into()),
            labels: vec!["a".into(), "b".into()],
            tiles: String::new(),
            fitted_rows: 0,
            kept_of: 0,
            refit_values: 0,
            initial_values: 2,
            initial_halves: 1,
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
        Trajectory { header, records: (0..3).map(record).collect(), refits: Vec::new(), torn_bytes: 0 }
    }

    /// A run of three steps whose one-value readout was refitted after the second step.
    fn refitted() -> Trajectory {
        let mut trajectory = sample();
        let settings = &mut trajectory.header.settings;
        (settings.readout, settings.refit_every) = (Some(Pooling::Mean), 2);
        trajectory.header.refit_values = 1;
        trajectory.refits = vec![vec![2.5]];
        trajectory
    }

    #[test]
    fn what_is_written_is_read() {
        for trajectory in [sample(), refitted()] {
            assert_eq!(Trajectory::parse("t", &trajectory.to_bytes().unwrap()).unwrap(), trajectory);
        }
    }

    #[test]
    fn a_readout_that_was_fitted_again_stands_after_its_steps() {
        let whole = refitted();
        let bytes = whole.to_bytes().unwrap();
        let header = bytes.len() - 3 * RECORD_BYTES - 8;
        for cut in header..bytes.len() {
            let read = Trajectory::parse("t", &bytes[..cut]).unwrap();
            let body = cut - header;
            let steps = if body < 2 * RECORD_BYTES + 8 { (body / RECORD_BYTES).min(2) } else { 2 };
            let refits = usize::from(body >= 2 * RECORD_BYTES + 8);
            assert_eq!((read.records.len(), read.refits.len()), (steps, refits), "{cut}");
            assert_eq!(read.torn_bytes, body - steps * RECORD_BYTES - 8 * refits, "{cut}");
            assert_eq!(read.refit_due(), steps == 2 && refits == 0, "{cut}");
        }
        // Damage in the readout is detected, because records follow it.
        for at in header + 2 * RECORD_BYTES..header + 2 * RECORD_BYTES + 8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(Trajectory::parse("t", &damaged).unwrap_err().code(), Code::FileCorrupt);
        }
        assert_eq!(whole.bytes_from(1), bytes[header + RECORD_BYTES..]);
        assert_eq!(whole.latest_header().initial, [0.5, 2.5]);
        for (steps, refits) in [(1, 0), (2, 1)] {
            let mut ended = whole.clone();
            ended.truncate(steps);
            assert_eq!((ended.steps(), ended.refits.len()), (steps, refits));
        }
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
