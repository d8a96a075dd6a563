//! Metrics that do not tell who somebody is: some labels hold hashes instead of names.
//!
//! The text is left as it is otherwise, comments and order included.

use anyhow::{Context as _, anyhow};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Labels that name somebody.
const NAMES: [&str; 6] = ["authority", "client_id", "server_id", "target_addr", "dst_service", "dst_namespace"];
/// Bytes of a hash that are shown.
const SHOWN: usize = 4;

/// The metrics with hashes.
///
/// # Errors
/// When a line is no metric.
pub fn text(metrics: &str) -> anyhow::Result<String> {
    let mut obfuscated = String::with_capacity(metrics.len());
    for (number, line) in metrics.lines().enumerate() {
        let line_of_metric = || line_of(line).with_context(|| format!("line {} is no metric", number + 1));
        match line.trim_start().starts_with('#') {
            true => obfuscated.push_str(line),
            false => obfuscated.push_str(&line_of_metric()?),
        }
        obfuscated.push('\n');
    }
    Ok(obfuscated)
}

fn line_of(line: &str) -> anyhow::Result<String> {
    let Some((name, mut rest)) = line.split_once('{') else { return Ok(line.to_owned()) };
    let mut obfuscated = format!("{name}{{");
    while !rest.trim_start_matches([',', ' ']).starts_with('}') {
        let (label, quoted) = rest.split_once("=\"").ok_or_else(|| anyhow!("a label has no value"))?;
        let end = end_of(quoted).ok_or_else(|| anyhow!("the value of label {label} has no end"))?;
        let (value, behind) = (&quoted[..end], &quoted[end + 1..]);
        let name = label.trim_start_matches([',', ' ']);
        let hash = NAMES.contains(&name).then(|| hash(value));
        // Writing to a string does not fail.
        let _ = write!(obfuscated, "{label}=\"{}\"", hash.as_deref().unwrap_or(value));
        rest = behind;
    }
    obfuscated.push_str(rest);
    Ok(obfuscated)
}

/// Where the quote is that ends a value.
fn end_of(quoted: &str) -> Option<usize> {
    let mut is_escaped = false;
    quoted.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

fn hash(value: &str) -> String {
    let value = value.replace("\\\\", "\u{0}").replace("\\\"", "\"").replace("\\n", "\n").replace('\u{0}', "\\");
    Sha256::digest(value).iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Acceptance case 50 of the command line.
    #[test]
    fn names_become_hashes_and_everything_else_stays() {
        let metrics = concat!(
            "# HELP b of b{x=\"\n",
            "b{direction=\"inbound\",target_addr=\"0.0.0.0:4191\",target_ip=\"0.0.0.0\",srv_name=\"a,b=\\\"}\"} 1 2\n",
            "a 1\n\n",
            "c{} 2\n",
            "d{authority=\"\", client_id=\"x\",} 3\n",
        );
        insta::assert_snapshot!(text(metrics).unwrap(), @r#"
        # HELP b of b{x="
        b{direction="inbound",target_addr="f21fd977",target_ip="0.0.0.0",srv_name="a,b=\"}"} 1 2
        a 1

        c{} 2
        d{authority="e3b0c442", client_id="2d711642",} 3
        "#);
    }

    #[test]
    fn a_hash_is_that_of_the_value_not_of_its_escapes() {
        assert_eq!(hash(r#"a\"\\n\n"#), hash_of("a\"\\n\n"));
    }

    fn hash_of(text: &str) -> String {
        format!("{:x}", Sha256::digest(text))[..8].to_owned()
    }

    #[test]
    fn a_line_that_is_no_metric_is_named() {
        for broken in ["a 1\nb{c=\"d} 1", "a 1\nb{c} 1", "a 1\nb{c=\"d\""] {
            assert_eq!(text(broken).unwrap_err().to_string(), "line 2 is no metric");
        }
    }
}
