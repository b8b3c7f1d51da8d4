/// Where a value and everything inside it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    line: u32,
    children: Children,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Children {
    None,
    Fields(Vec<(String, Lines)>),
    Items(Vec<Lines>),
}

impl Lines {
    pub(super) fn scalar(line: u32) -> Self {
        Self { line, children: Children::None }
    }

    pub(super) fn object(line: u32, fields: Vec<(String, Self)>) -> Self {
        Self { line, children: Children::Fields(fields) }
    }

    pub(super) fn list(line: u32, items: Vec<Self>) -> Self {
        Self { line, children: Children::Items(items) }
    }

    pub(super) fn into_fields(self) -> Vec<(String, Self)> {
        match self.children {
            Children::Fields(fields) => fields,
            Children::None | Children::Items(_) => Vec::new(),
        }
    }

    /// The same value, said to begin on another line: that of its key.
    pub(super) fn at(mut self, line: u32) -> Self {
        self.line = line;
        self
    }

    /// The line on which the value begins, counted from 1; for a field, the line of its key.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The line of a field such as `spec.ips[3]` or `metadata.annotations[example.com/key]`; of its nearest
    /// parent that is there when the field is not.
    #[must_use]
    pub fn line_of(&self, path: &str) -> u32 {
        self.child(path).map_or(self.line, |(child, rest)| child.line_of(rest))
    }

    /// The lines of an item of a list or of a field, found by the same path as in [`Lines::line_of`].
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Self> {
        if path.is_empty() {
            return Some(self);
        }
        let (child, rest) = self.child(path)?;
        child.get(rest)
    }

    /// The child that the path begins with, and what is left of the path.
    fn child<'p>(&self, path: &'p str) -> Option<(&Self, &'p str)> {
        match &self.children {
            Children::None => None,
            Children::Items(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                Some((items.get(index.parse::<usize>().ok()?)?, rest))
            }
            // Keys may hold dots, so the longest one that fits is meant.
            Children::Fields(fields) => fields
                .iter()
                .filter_map(|(key, lines)| Some((key, lines, after_key(path, key)?)))
                .max_by_key(|(key, _, _)| key.len())
                .map(|(_, lines, rest)| (lines, rest)),
        }
    }
}

/// What follows `key` at the beginning of `path`: written plainly, or in brackets with or without quotes.
fn after_key<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    if let Some(inside) = path.strip_prefix('[') {
        let (open, inside) = match inside.strip_prefix(['"', '\'']) {
            Some(inside) => (true, inside),
            None => (false, inside),
        };
        let rest = inside.strip_prefix(key)?;
        let rest = if open { rest.strip_prefix(['"', '\''])? } else { rest };
        return rest.strip_prefix(']');
    }
    let rest = path.strip_prefix('.').unwrap_or(path).strip_prefix(key)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

#[cfg(test)]
mod tests {
    use crate::yaml::documents;

    #[test]
    fn every_way_to_write_a_path_finds_its_line() {
        let text = "\
metadata:
  annotations:
    cni.spidernet.io/rdma-resource-inject: a
    cni: b
  name: x
spec:
  ips:
  - 10.0.0.1
  - 10.0.0.2

  routes:
  - dst: 10.0.0.0/8
    gw: 10.0.0.1
";
        let read = documents(text);
        let lines = &read[0].content.as_ref().unwrap().lines;
        for (path, line) in [
            ("", 1),
            ("metadata.name", 5),
            ("metadata.annotations.cni.spidernet.io/rdma-resource-inject", 3),
            ("metadata.annotations[cni.spidernet.io/rdma-resource-inject]", 3),
            ("metadata.annotations[\"cni.spidernet.io/rdma-resource-inject\"]", 3),
            ("metadata.annotations.cni", 4),
            ("metadata.annotations.other", 2),
            ("spec.ips", 7),
            ("spec.ips[1]", 9),
            ("spec.ips[7]", 7),
            ("spec.routes[0].gw", 13),
            ("spec.routes[0].via", 12),
            ("spec.subnet", 6),
            ("status", 1),
        ] {
            assert_eq!(lines.line_of(path), line, "{path}");
        }
        assert_eq!(lines.get("spec.routes[0]").map(|lines| lines.line_of("gw")), Some(13));
        assert_eq!(lines.get("spec.subnet"), None);
    }
}
