use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};

/// Where a verb writes: results to `out`, everything about them to `err`.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    colour: bool,
}

/// Colours of the terminal's own palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// Errors and removed lines.
    Red,
    /// Success and added lines.
    Green,
    /// Warnings.
    Yellow,
    /// Places.
    Cyan,
    /// Headings.
    Bold,
    /// What matters less.
    Dim,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Cyan => "36",
            Self::Bold => "1",
            Self::Dim => "2",
        }
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("colour", &self.colour).finish_non_exhaustive()
    }
}

impl Console {
    /// Standard output and error; in colour on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
    #[must_use]
    pub fn standard() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            out: Box::new(BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            colour: wanted && io::stdout().is_terminal(),
        }
    }

    /// The text in a colour, if colours are on.
    #[must_use]
    pub(super) fn ink(&self, ink: Ink, text: &str) -> String {
        if self.colour { format!("\u{1b}[{}m{text}\u{1b}[0m", ink.code()) } else { text.to_owned() }
    }

    /// Writes to standard output as it is.
    pub(super) fn print(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// Writes a line to standard output.
    pub(super) fn line(&mut self, text: impl fmt::Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Writes a line to standard error, after everything written to standard output so far.
    pub(super) fn note(&mut self, text: impl fmt::Display) -> io::Result<()> {
        self.out.flush()?;
        writeln!(self.err, "{text}")
    }

    /// `warning: ...` on standard error.
    pub(super) fn warning(&mut self, text: impl fmt::Display) -> io::Result<()> {
        self.note(format_args!("warning: {text}"))
    }

    /// `error: ...` on standard error.
    pub(super) fn error(&mut self, text: impl fmt::Display) -> io::Result<()> {
        self.note(format_args!("error: {text}"))
    }

    /// `hint: ...` on standard error.
    pub(super) fn hint(&mut self, text: impl fmt::Display) -> io::Result<()> {
        self.note(format_args!("hint: {text}"))
    }

    /// Hands everything on to the terminal.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
