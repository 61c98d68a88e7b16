//! The header of a trajectory file: the model, the data and the settings that give its records their meaning.

use half::f16;
use serde::{Deserialize, Serialize};

use super::settings::{Settings, is_zero};
use crate::error::{Result, bail, err};

pub(super) const MAGIC: &[u8; 8] = b"PKTLTRAJ";
pub(super) const VERSION: u32 = 1;

/// The maximum size of a header's JSON, in bytes.
pub(super) const MAX_HEADER: usize = 1 << 20;

/// The model, the data and the settings of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// `model_type` of the base model.
    pub family: String,
    /// Number of the base model's parameters.
    pub parameters: u64,
    /// [`crate::model::Weights::fingerprint`] of the base weights, as 16 hexadecimal digits.
    pub fingerprint: String,
    /// The settings of the run, flattened into the header's JSON.
    #[serde(flatten)]
    pub settings: Settings,
    /// Storage format of the matrices.
    pub dtype: String,
    /// Fingerprint of the training data, as 16 hexadecimal digits.
    pub data: String,
    /// The name of the task, if the run trained a known task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The prompt template, for classification.
    pub template: Option<String>,
    /// The label words, for classification, or the labels of a readout.
    pub labels: Vec<String>,
    /// The matmul tiles at the start of the run. Other tiles change the last bits of the losses, so a resumed run keeps them.
    #[serde(default)]
    pub tiles: String,
    /// Method readout: the number of rows that the classifier was fitted on. `labels` then has the labels of the data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fitted_rows: u32,
    /// Number of steps of a run that has ended and kept the weights of an earlier step, where the records end. 0 for other runs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept_of: u32,
    /// Number of values of a readout that is refitted during the run; 0 for other runs. The file has this many values after every
    /// [`Settings::refit_every`] steps.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refit_values: u32,
    /// Number of values that follow the JSON: the fitted values of a readout, or the initial values of the adapter or of its fixed
    /// tensors, unless they follow from the seed.
    #[serde(default)]
    pub initial_values: u64,
    /// The number of these values, from the first, that are stored as f16. The others are f32.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub initial_halves: u64,
    /// The values themselves.
    #[serde(skip)]
    pub initial: Vec<f32>,
}

impl Header {
    /// Size in bytes of the initial values in a file.
    pub(super) fn initial_bytes(&self) -> u64 {
        let singles = self.initial_values.saturating_sub(self.initial_halves);
        self.initial_halves.saturating_mul(2).saturating_add(singles.saturating_mul(4))
    }

    /// Size in bytes of a readout that is refitted during the run, including its checksum.
    pub(super) fn refit_bytes(&self) -> usize {
        (self.refit_values as usize).saturating_mul(4).saturating_add(4)
    }

    /// Decodes the initial values from their bytes in a file.
    pub(super) fn read_initial(&mut self, bytes: &[u8]) {
        let (halves, singles) = bytes.split_at((self.initial_halves as usize * 2).min(bytes.len()));
        self.initial =
            halves.as_chunks::<2>().0.iter().map(|half| f16::from_le_bytes(*half).to_f32()).collect();
        self.initial.extend(bytemuck::pod_collect_to_vec::<u8, f32>(singles));
    }

    /// The first bytes of a file with this header.
    ///
    /// # Errors
    /// `invalid-argument` if the settings cannot be written as JSON or are too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|e| err!(InvalidArgument, "trajectory header: {e}"))?;
        if json.len() > MAX_HEADER {
            bail!(InvalidArgument, "trajectory header: {} bytes, expected at most {MAX_HEADER}", json.len());
        }
        if self.initial_values != self.initial.len() as u64 {
            let (said, have) = (self.initial_values, self.initial.len());
            bail!(InvalidArgument, "trajectory header: expected {said} initial values, found {have}");
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((json.len() as u32).to_le_bytes());
        bytes.extend(json);
        let (halves, singles) = self.initial.split_at((self.initial_halves as usize).min(self.initial.len()));
        bytes.extend(halves.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()));
        bytes.extend_from_slice(bytemuck::cast_slice(singles));
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_le_bytes());
        Ok(bytes)
    }

    /// Compares this header with that of another run before its records are used.
    ///
    /// # Errors
    /// `trajectory-mismatch` naming the first setting that differs.
    pub fn check_same_run(&self, other: &Header) -> Result<()> {
        let (mine, theirs) = (serde_json::to_value(self), serde_json::to_value(other));
        let (Ok(serde_json::Value::Object(mine)), Ok(serde_json::Value::Object(theirs))) = (mine, theirs)
        else {
            bail!(InvalidArgument, "trajectory header: cannot be written as JSON");
        };
        // A setting that is off is absent, so each header may have fields that the other lacks.
        // Another method also has other values of other settings, so it is named first.
        let method = "method".to_owned();
        for field in std::iter::once(&method).chain(mine.keys()).chain(theirs.keys()) {
            match (mine.get(field), theirs.get(field)) {
                (mine, theirs) if mine == theirs => {}
                (Some(value), Some(found)) => {
                    bail!(TrajectoryMismatch, "the trajectory was made with {field} {value}, not {found}")
                }
                (Some(value), None) => {
                    bail!(
                        TrajectoryMismatch,
                        "the trajectory was made with {field} {value}, but this run has no {field}"
                    )
                }
                (None, found) => {
                    let found = found.unwrap_or(&serde_json::Value::Null);
                    bail!(
                        TrajectoryMismatch,
                        "the trajectory was made without {field}, but this run has {field} {found}"
                    )
                }
            }
        }
        Ok(())
    }

    /// Compares this header with the model that the records are to be replayed on.
    ///
    /// # Errors
    /// `trajectory-mismatch` stating how they differ.
    pub fn check_model(&self, family: &str, parameters: u64, fingerprint: u64) -> Result<()> {
        if self.family != family || self.parameters != parameters {
            bail!(
                TrajectoryMismatch,
                "the trajectory was made with a {} model of {} parameters, but this is a {family} model of {parameters}",
                self.family,
                self.parameters
            );
        }
        let found = hex(fingerprint);
        if self.fingerprint != found {
            let expected = &self.fingerprint;
            bail!(
                TrajectoryMismatch,
                "the trajectory was made with other weights: fingerprint {expected}, but this model's is {found}"
            );
        }
        Ok(())
    }
}

/// Formats a fingerprint as 16 hexadecimal digits.
pub fn hex(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}
