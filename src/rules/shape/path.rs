use std::fmt;

/// Where a value stands in an object. It is written out only for a finding: most values have none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'a> {
    Root,
    /// `parent.name`
    Field(&'a Path<'a>, &'a str),
    /// `parent[key]`
    Key(&'a Path<'a>, &'a str),
    /// `parent[3]`
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Key(parent, key) => write!(f, "{parent}[{key}]"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}
