//! Whether the documents at the root are true: their links lead somewhere, and the `cargo xtask`
//! commands that they name exist.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::workspace;

pub fn check() -> Result<()> {
    let mut mistakes = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(workspace::root()).context("cannot list the checkout")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let name = workspace::relative(&path).display();
            let found = mistakes_in(workspace::root(), &text);
            mistakes.extend(found.into_iter().map(|mistake| format!("{name}:{mistake}")));
            count += 1;
        }
    }
    eprintln!("  {count} documents read");
    if !mistakes.is_empty() {
        bail!("documents say what is not so:\n- {}", mistakes.join("\n- "));
    }
    Ok(())
}

/// `LINE: what is wrong` for each mistake in a document that stands in `folder`.
fn mistakes_in(folder: &Path, text: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut code = false;
    for (number, line) in text.lines().enumerate() {
        let mut add = |mistake: String| mistakes.push(format!("{}: {mistake}", number + 1));
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if code {
            if let Some(mistake) = wrong_command(line) {
                add(mistake);
            }
        } else {
            for target in links(line).filter(|target| !folder.join(target).exists()) {
                add(format!("{target} does not exist"));
            }
        }
    }
    mistakes
}

/// The files of this checkout that a line links to, without their anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter_map(|target| target.split('#').next())
        .filter(|target| !target.is_empty())
}

/// What is wrong with a line of a code block, if it is a command of ours.
fn wrong_command(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches("$ ");
    let command = line.split(" #").next().unwrap_or(line);
    let arguments = command.strip_prefix("cargo xtask")?;
    let words = std::iter::once("cargo xtask").chain(arguments.split_whitespace());
    match crate::Args::try_parse_from(words) {
        Ok(_) => None,
        Err(error) if !error.use_stderr() => None,
        Err(error) => Some(format!("`{command}`: {}", error.to_string().lines().next().unwrap_or(""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_into_nothing_and_unknown_commands_are_mistakes() {
        let text = "
See [the lints](Cargo.toml#lints), [nothing](missing.md) and [the web](https://example.com).
```
$ cargo xtask test --only harness   # one suite
cargo xtask tset
```
";
        let found = mistakes_in(workspace::root(), text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0], "2: missing.md does not exist");
        assert!(found[1].starts_with("5: `cargo xtask tset`: error: unrecognized"), "{found:?}");
    }
}
