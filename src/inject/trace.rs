/// One step of a decision, for `explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was looked at: `namespace`, `key`, `group`, ...
    pub subject: &'static str,
    /// What was found, in a sentence.
    pub finding: String,
}

/// Who listens to the steps of a decision.
pub trait Trace {
    /// Called once for each step, in order. `finding` is not evaluated when nobody listens.
    fn step(&mut self, subject: &'static str, finding: impl FnOnce() -> String);
}

/// Nobody listens: the server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Trace for Silent {
    fn step(&mut self, _: &'static str, _: impl FnOnce() -> String) {}
}

impl Trace for Vec<Step> {
    fn step(&mut self, subject: &'static str, finding: impl FnOnce() -> String) {
        self.push(Step { subject, finding: finding() });
    }
}
