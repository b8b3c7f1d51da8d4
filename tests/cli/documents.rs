//! Every block of every page is looked after by somebody; here are those that need no cluster.
//!
//! What a machine without NICs, pods or a guest cannot run is checked for what can be: the syntax, programs of the
//! repository and tasks of `make` that it names, the verbs of `railweave-cni`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fences::{Block, blocks};
use crate::support::{Folder, Run, railweave, repository};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Pages for people: of the repository's root, of `docs`, and the READMEs beside what they describe.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> = ["certs", "e2e/cluster", "e2e/nodes", "e2e/vm", "manifests"]
        .iter()
        .map(|folder| format!("{folder}/README.md"))
        .filter(|page| Path::new(ROOT).join(page).exists())
        .collect();
    for folder in ["", "docs/"] {
        for entry in std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|ending| ending == "md") {
                pages.push(format!("{folder}{name}"));
            }
        }
    }
    pages
}

/// All blocks with this mark, with their pages.
fn marked(mark: &str) -> Vec<(String, Block)> {
    let all = pages()
        .into_iter()
        .flat_map(|page| blocks(&page).into_iter().map(move |block| (page.clone(), block)));
    let found: Vec<_> = all.filter(|(_, block)| block.mark == mark).collect();
    assert!(!found.is_empty(), "no page has a block {mark}");
    found
}

/// Which test looks after the blocks of a page with this mark.
fn keeper(page: &str, mark: &str) -> Option<&'static str> {
    let name = page.strip_prefix("docs/").unwrap_or(page);
    Some(match (name, mark) {
        ("README.md" | "operations.md" | "security.md" | "networks.md" | "ipam.md", "sh")
        | ("troubleshooting.md", "sh cluster")
        | ("operations.md", "sh removal" | "sh removal by hand") => "control_plane: documents",
        ("operations.md" | "security.md", "yaml values") => "chart: documents",
        ("compatibility.md", "text" | "yaml" | "yaml stored") => "rules::compatibility",
        ("cli.md", "text") => "cli: reference",
        ("README.md", "text")
        | ("ipam.md", "yaml")
        | ("troubleshooting.md", "sh" | "sh server")
        | (_, "sh make" | "sh pods" | "sh pod" | "sh node" | "sh guest" | "sh control-plane") => "here",
        (_, "mermaid") => "whoever draws it",
        _ => return None,
    })
}

/// A script in a folder that has the repository's manifests and nothing else, with `railweave` at hand.
pub(crate) fn shell(script: &str, folder: &Folder) -> Run {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_railweave"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [folder.file("bin"), program.parent().unwrap().to_owned()];
    let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path))).unwrap();
    let manifests = folder.file("manifests");
    if !manifests.exists() {
        std::os::unix::fs::symlink(Path::new(ROOT).join("manifests"), manifests).unwrap();
    }
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("KUBECONFIG", "/nonexistent")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn assert_parses(page: &str, script: &str) {
    let parsed = Command::new("bash").args(["-n", "-c", script]).output().unwrap();
    assert!(parsed.status.success(), "{page}: {}\n{script}", String::from_utf8_lossy(&parsed.stderr));
}

#[test]
fn every_block_is_looked_after() {
    let (mut count, mut unknown) = (0, Vec::new());
    for page in pages() {
        for block in blocks(&page) {
            count += 1;
            if keeper(&page, &block.mark).is_none() {
                unknown.push(format!("{page}, {}: ```{}", block.section, block.mark));
            }
        }
    }
    assert_eq!(unknown, Vec::<String>::new(), "no test knows what to do with these");
    assert!(count > 100, "{count} blocks: pages are not found");
}

#[test]
fn commands_that_need_no_cluster_run() {
    let folder = Folder::with(&[]);
    let blocks = marked("sh").into_iter().filter(|(page, _)| page == "docs/troubleshooting.md");
    let mut ran = 0;
    for (page, block) in blocks {
        let run = shell(&block.text, &folder);
        assert_eq!(run.code, 0, "{page}, {}:\n{}\n{}", block.section, block.text, run.err);
        ran += 1;
    }
    assert!(ran >= 5, "{ran}");
    assert!(folder.read("canonical.yaml").contains("kind: SpiderMultusConfig"));
}

/// With ports of its own, until it has said how to try it.
#[test]
fn the_server_starts_as_written() {
    for (page, block) in marked("sh server") {
        let ports = "--listen 127.0.0.1:0 --admin-listen 127.0.0.1:0";
        let script = format!(
            "{} {ports} >printed & for _ in $(seq 200); do grep -q '^curl ' printed && break; sleep 0.1; done
             kill -TERM $!; wait $!; grep '^curl ' printed",
            block.text.trim()
        );
        let run = shell(&script, &Folder::with(&[]));
        assert_eq!(run.code, 0, "{page}: {}\n{}", block.text, run.err);
    }
}

#[test]
fn tasks_of_make_exist() {
    for (page, block) in marked("sh make") {
        let script = block.text.replace("make ", "make --dry-run ");
        let output = Command::new("bash").args(["-euc", &script]).current_dir(ROOT).output().unwrap();
        assert!(
            output.status.success(),
            "{page}:\n{}{}",
            block.text,
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Scripts of the repository that a block names are there; what they do is tested by whoever uses them.
#[test]
fn scripts_of_the_control_plane_and_the_guest_exist() {
    for mark in ["sh control-plane", "sh guest"] {
        for (page, block) in marked(mark) {
            assert_parses(&page, &block.text);
            let words = block.text.split(|c: char| c.is_whitespace() || "()'".contains(c));
            let scripts: Vec<&str> = words
                .filter(|word| {
                    word.starts_with("e2e/")
                        && Path::new(word).extension().is_some_and(|ending| ending == "sh")
                })
                .collect();
            assert!(!scripts.is_empty(), "{page}");
            for script in scripts {
                assert!(Path::new(ROOT).join(script).is_file(), "{page}: {script}");
            }
        }
    }
}

#[test]
fn what_needs_a_node_or_pods_parses_and_names_verbs_that_exist() {
    let help = repository("cni/src/command_line.rs");
    let mut installs = 0;
    for mark in ["sh node", "sh pod", "sh pods"] {
        for (page, block) in marked(mark) {
            assert_parses(&page, &block.text);
            for line in block.text.lines() {
                if let Some((_, call)) = line.split_once("railweave-cni ") {
                    installs += 1;
                    let words: Vec<&str> = call.split_whitespace().collect();
                    let [verb @ ("install" | "uninstall"), "--dir", folder] = words[..] else {
                        panic!("{page}: {line}");
                    };
                    assert!(help.contains(&format!("  railweave-cni {verb} --dir DIR ")), "{page}: {line}");
                    assert!(folder.starts_with('/'), "{page}: {line}");
                }
                for rest in line.split("/run/railweave/cni/").skip(1) {
                    let name = rest.split(['/', ' ']).next().unwrap().replace('-', "_");
                    let folder = format!("cni/src/plugins/{name}");
                    assert!(Path::new(ROOT).join(folder).is_dir(), "{page}: {line}");
                }
            }
        }
    }
    assert!(installs >= 3, "{installs}");
}

/// A line that begins with `...` stands for any number of lines; the rest is what is printed, line by line, whatever
/// it is indented by as a whole.
fn assert_shown(shown: &str, printed: &str) {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let printed: Vec<&str> = printed.lines().collect();
    let first = shown.lines().next().unwrap();
    let matches = |start: usize| -> Result<(), String> {
        let shift = depth(printed[start]);
        let (mut at, mut any) = (start, false);
        for line in shown.lines() {
            if line.trim_start().starts_with("...") {
                any = true;
                continue;
            }
            let is =
                |other: &&str| other.trim_start() == line.trim_start() && depth(other) == depth(line) + shift;
            let found = if any { printed[at..].iter().position(is) } else { Some(0) };
            let next = found.map(|skipped| at + skipped).filter(|next| printed.get(*next).is_some_and(is));
            at = next.ok_or_else(|| format!("{line:?} is not printed, but {:?}", printed.get(at)))? + 1;
            any = false;
        }
        Ok(())
    };
    let starts = (0..printed.len()).filter(|start| printed[*start].trim_start() == first.trim_start());
    let outcomes: Vec<_> = starts.map(matches).collect();
    assert!(outcomes.iter().any(Result::is_ok), "{outcomes:#?}\n{}", printed.join("\n"));
}

#[test]
fn the_readme_shows_what_is_printed() {
    let all = blocks("README.md");
    let pairs: Vec<&[Block]> = all.windows(2).filter(|pair| pair[1].mark == "text").collect();
    assert_eq!(pairs.len(), 2);
    for pair in pairs {
        assert_eq!(pair[0].mark, "sh");
        let run = shell(&pair[0].text, &Folder::with(&[]));
        assert_eq!(run.code, 0, "{}", run.err);
        assert_shown(&pair[1].text, &run.out);
    }
}

#[test]
fn manifests_on_the_page_of_addresses_are_valid() {
    for (page, block) in marked("yaml").into_iter().filter(|(page, _)| page == "docs/ipam.md") {
        let folder = Folder::with(&[("shown.yaml", &block.text)]);
        let run = railweave(&["validate", "-f", &folder.argument("shown.yaml")]);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{page}: {}", run.out);
        assert!(run.out.contains(" 0 errors, 0 warnings"), "{page}: {}", run.out);
    }
}
