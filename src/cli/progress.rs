//! Progress bars.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

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
