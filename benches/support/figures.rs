//! Figures as a table, a line as soon as it is known.

use std::time::Duration;

/// One quantity, measured several times.
pub(crate) struct Figure {
    what: String,
    unit: &'static str,
    values: Vec<f64>,
    note: String,
}

impl Figure {
    /// A quantity in its unit: `ms`, `MB`, `bytes`, `% of a core`, …
    pub(crate) fn new(what: impl Into<String>, unit: &'static str) -> Self {
        Self { what: what.into(), unit, values: Vec::new(), note: String::new() }
    }

    /// Takes the value of one run.
    pub(crate) fn take(&mut self, value: f64) {
        self.values.push(value);
    }

    /// Takes a time, in milliseconds.
    pub(crate) fn take_ms(&mut self, time: Duration) {
        self.take(time.as_secs_f64() * 1000.0);
    }

    /// Says beside it what it is to be compared with.
    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The middle one of its values; of an even number the higher.
    pub(crate) fn median(&self) -> f64 {
        let mut values = self.values.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Prints the line.
    pub(crate) fn print(&self) {
        let (min, max) =
            self.values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), v| (min.min(*v), max.max(*v)));
        let [min, median, max] = [min, self.median(), max].map(readable);
        println!("{:<58} {min:>9} {median:>9} {max:>9}  {:<12} {}", self.what, self.unit, self.note);
    }
}

/// A heading with the columns' names.
pub(crate) fn head(title: &str) {
    println!("\n{title:<58} {:>9} {:>9} {:>9}", "min", "median", "max");
}

/// The value below which `percent` of all lie.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

fn readable(value: f64) -> String {
    match value.abs() {
        v if !v.is_finite() => "-".to_owned(),
        v if v >= 100.0 || v == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
