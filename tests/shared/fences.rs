//! The fenced blocks of a page.

use std::path::Path;

/// What stands between two fences.
pub(crate) struct Block {
    /// Title of the section of second level that it stands in.
    pub(crate) section: String,
    /// What follows the opening fence: `sh`, `yaml values`.
    pub(crate) mark: String,
    pub(crate) text: String,
}

/// All blocks of a page, by its path in the repository.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let (mut section, mut open) = (String::new(), None::<Block>);
    let mut blocks = Vec::new();
    for line in text.lines() {
        match (&mut open, line) {
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, line) => {
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut section);
                } else if let Some(mark) = line.strip_prefix("```") {
                    open =
                        Some(Block { section: section.clone(), mark: mark.to_owned(), text: String::new() });
                }
            }
        }
    }
    assert!(open.is_none(), "{page}: a block is not closed");
    blocks
}
