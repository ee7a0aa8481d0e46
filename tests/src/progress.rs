//! One line that says what is being waited for: a spinner on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const PLAIN_EVERY: Duration = Duration::from_secs(30);

/// Something that takes a while. The line goes when this is dropped.
pub struct Activity {
    message: String,
    bar: ProgressBar,
    since: Instant,
    next_plain: Duration,
}

impl Activity {
    pub fn new(message: impl Into<String>) -> Self {
        let message = message.into();
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.set_message(message.clone());
        bar.enable_steady_tick(Duration::from_millis(120));
        if bar.is_hidden() {
            eprintln!("{message}");
        }
        Self { message, bar, since: Instant::now(), next_plain: PLAIN_EVERY }
    }

    /// Call now and then: where there is no terminal, a line every half minute shows that it goes on.
    pub fn still_at_it(&mut self) {
        let elapsed = self.since.elapsed();
        if self.bar.is_hidden() && elapsed >= self.next_plain {
            eprintln!("{} [{} s so far]", self.message, elapsed.as_secs());
            self.next_plain = elapsed + PLAIN_EVERY;
        }
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar of steps with a text beside: drawn on a terminal; elsewhere a line now and then, when the text
/// has changed.
pub struct Steps {
    bar: ProgressBar,
    plain: Option<(Instant, String)>,
}

impl Steps {
    #[must_use]
    pub fn new(count: usize) -> Self {
        let bar = ProgressBar::new(count as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, plain: None }
    }

    pub fn set(&mut self, done: usize, message: String) {
        self.bar.set_position(done as u64);
        self.bar.set_message(message.clone());
        let due = self.plain.as_ref().is_none_or(|(at, last)| at.elapsed() > Duration::from_secs(2) && *last != message);
        if self.bar.is_hidden() && due {
            eprintln!("{message}");
            self.plain = Some((Instant::now(), message));
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
