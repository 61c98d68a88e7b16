//! Progress bars.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Seconds between two lines that report progress: at least, and at most.
const LEAST: f64 = 5.0;
const MOST: f64 = 60.0;

/// When to print a line about progress, where stderr is not a terminal and shows no bar: after each tenth of the steps, or after a
/// minute. A run of a few seconds prints none.
pub(super) struct Pace {
    shown: u32,
    of: u32,
    at: f64,
    is_terminal: bool,
}

impl Pace {
    /// The pace of a run that continues after step `done` of `of`.
    pub(super) fn new(done: u32, of: u32) -> Pace {
        Pace { shown: done, of: of.max(1), at: 0.0, is_terminal: std::io::stderr().is_terminal() }
    }

    /// Whether a line is due after step `done`, `seconds` after the start.
    pub(super) fn is_due(&mut self, done: u32, seconds: f64) -> bool {
        let tenth = |step: u32| u64::from(step) * 10 / u64::from(self.of);
        let waited = seconds - self.at;
        if self.is_terminal || waited < LEAST || (waited < MOST && tenth(done) == tenth(self.shown)) {
            return false;
        }
        (self.shown, self.at) = (done, seconds);
        true
    }
}

/// The template of a bar that counts replayed steps.
pub(super) const REPLAY: &str = "replaying {bar:30} {pos}/{len} steps";

/// A progress bar on stderr. It is drawn only if stderr is a terminal.
pub(super) fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_after_each_tenth_or_after_a_minute() {
        let mut pace = Pace { is_terminal: false, ..Pace::new(0, 100) };
        let due: Vec<u32> = (1..=100).filter(|step| pace.is_due(*step, f64::from(*step) * 2.0)).collect();
        assert_eq!(due, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        let mut slow = Pace { is_terminal: false, ..Pace::new(0, 1000) };
        let due: Vec<u32> = (1..=10).filter(|step| slow.is_due(*step, f64::from(*step) * 25.0)).collect();
        assert_eq!(due, [3, 6, 9]);
        let mut quick = Pace { is_terminal: false, ..Pace::new(0, 10) };
        assert!((1..=10).all(|step| !quick.is_due(step, f64::from(step) * 0.1)));
        let mut shown = Pace { is_terminal: true, ..Pace::new(0, 10) };
        assert!((1..=10).all(|step| !shown.is_due(step, f64::from(step) * 100.0)));
    }
}
