//! Image references: names, tags and pull policies that a kubelet can use.

/// Pull policies of the Kubernetes API.
pub const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];

/// Whether a text is an image name without tag, `[registry[:port]/]path`.
///
/// The grammar is that of the OCI distribution reference: a path component is lower case, and a
/// colon belongs to the registry's port only.
pub fn is_name(text: &str) -> bool {
    let (registry, path) = match text.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, text),
    };
    text.len() <= 255 && registry.is_none_or(is_registry) && path.split('/').all(is_component)
}

/// Whether a text can follow the colon of an image: a tag, with or without a digest.
pub fn is_version(text: &str) -> bool {
    let (tag, digest) = text.split_once('@').map_or((text, None), |(tag, digest)| (tag, Some(digest)));
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_tag = tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || c == '.' || c == '-');
    is_tag && digest.is_none_or(is_digest)
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let lower = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
    !algorithm.is_empty()
        && algorithm.chars().all(lower)
        && hex.len() >= 32
        && hex.chars().all(|c| c.is_ascii_hexdigit())
}

fn is_registry(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let is_address = host.starts_with('[') && host.ends_with(']');
    (is_address || host.split('.').all(label)) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn is_component(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(word) && text.ends_with(word) && text.chars().all(|c| word(c) || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_optional_registry_and_no_tag() {
        for good in ["cr.l5d.io/linkerd/proxy", "proxy", "localhost:5000/a/b", "my.reg/proxy", "MY.Reg/x", "a/b_c.d-e"]
        {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "proxy:v1", "my.reg/proxy:v1", "a//b", "/a", "a/", "A/b", "my.reg/x\"", "x@sha256:0"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_version_is_a_tag_with_an_optional_digest() {
        let digest = format!("edge-1@sha256:{}", "0".repeat(64));
        for good in ["edge-26.8.1", "v1.2.3_x", "1", &digest] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["", "-a", ".a", "a b", "a\"", "a:b", "a@b", &"a".repeat(129)] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
