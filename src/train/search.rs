//! A short search for the learning rate: a few rates around the preset are each tried for a few steps from the same starting point.

use super::encoder::{ExampleEncoder, Examples};
use super::session::Session;
use super::settings::Settings;
use super::trainer::Trainer;
use crate::error::{Code, Result};

/// The learning rates to try, as multiples of the preset.
const FACTORS: [f32; 5] = [0.1, 0.3, 1.0, 3.0, 10.0];

/// Number of steps at each rate.
const STEPS: u32 = 50;

/// Number of training examples that each result is measured on.
const JUDGED: usize = 64;

/// The result of trying a rate.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// The rate.
    pub learning_rate: f32,
    /// Mean loss after the steps, on the same examples for every rate; infinite if a step had a non-finite loss.
    pub loss: f64,
}

/// Tries rates around `settings.learning_rate`. Returns the rate that led to the lowest loss, and the result of each rate.
/// Afterwards the session is back at its base weights. `progress` receives the number of finished trials and of all trials, and may
/// stop the search by returning an error.
///
/// # Errors
/// `non-finite-loss` if no rate keeps the loss finite; errors from the backend; errors from `progress`.
pub async fn search(
    session: &mut Session,
    settings: &Settings,
    encoder: &ExampleEncoder,
    examples: &Examples,
    progress: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<(f32, Vec<Trial>)> {
    let judged = Examples::new(examples.examples.iter().take(JUDGED).cloned().collect(), 0);
    let mut trials = Vec::new();
    let mut reason = None;
    for factor in FACTORS {
        progress(trials.len(), FACTORS.len())?;
        let learning_rate = rounded(settings.learning_rate * factor);
        let tried = Settings { steps: STEPS, learning_rate, ..settings.clone() };
        let mut trainer = Trainer::new(session, tried, encoder.clone(), None, examples.clone())?;
        let loss = match finish(session, &mut trainer, &judged).await {
            Ok(loss) if loss.is_finite() => loss,
            Ok(_) => f64::INFINITY,
            Err(error) if error.code() == Code::NonFiniteLoss => {
                // The smallest rate comes first, and its error is the most informative.
                reason.get_or_insert(error);
                f64::INFINITY
            }
            Err(error) => return Err(error),
        };
        trials.push(Trial { learning_rate, loss });
        session.reset(&mut |_| Ok(())).await?;
    }
    progress(FACTORS.len(), FACTORS.len())?;
    let best = trials.iter().filter(|trial| trial.loss.is_finite()).min_by(|a, b| a.loss.total_cmp(&b.loss));
    match best {
        Some(best) => Ok((best.learning_rate, trials)),
        None => Err(crate::error::err!(
            NonFiniteLoss,
            "no learning rate from {:e} to {:e} keeps the loss in bounds. With the first one: {}",
            trials.first().map_or(0.0, |t| t.learning_rate),
            trials.last().map_or(0.0, |t| t.learning_rate),
            reason.as_ref().map_or("the loss is not finite", |error| error.message())
        )),
    }
}

async fn finish(session: &mut Session, trainer: &mut Trainer, judged: &Examples) -> Result<f64> {
    while trainer.step(session).await?.is_some() {}
    Ok(trainer.evaluate(session, Some(judged), &mut || Ok(())).await?.loss)
}

/// Rounds to two digits, so that a person can enter the rate again.
fn rounded(rate: f32) -> f32 {
    format!("{rate:.1e}").parse().unwrap_or(rate)
}
