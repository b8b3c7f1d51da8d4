//! A folder like `/sys`, made from the recording `rails.sysfs`.

use std::path::{Path, PathBuf};

/// A tree that goes when it is dropped, and that a test may change.
pub(crate) struct SysfsTree(tempfile::TempDir);

impl SysfsTree {
    /// The recorded node.
    pub(crate) fn rails() -> Self {
        let tree = Self(tempfile::tempdir().expect("a temporary folder"));
        let lines = include_str!("rails.sysfs").lines();
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some((path, target)) = line.split_once(" -> ") {
                std::os::unix::fs::symlink(target, tree.parent_made(path)).expect("a new link");
            } else if let Some((path, content)) = line.split_once(" = ") {
                tree.write(path, content);
            } else {
                std::fs::create_dir_all(tree.path().join(line)).expect("a new folder");
            }
        }
        tree
    }

    /// The root.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes an attribute.
    pub(crate) fn write(&self, path: &str, content: &str) {
        std::fs::write(self.parent_made(path), format!("{content}\n")).expect("our folder");
    }

    fn parent_made(&self, path: &str) -> PathBuf {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("it is below the root")).expect("our folder");
        path
    }
}
