//! Whether versions fit together.
//!
//! Nobody is asked over the internet which version is the latest: there is no such service for this control
//! plane. A user who knows gives `--expected-version`; without it, only what is installed is compared.

use crate::check::{
    context::Context,
    verdict::{Finding, Verdict, ensure},
};

/// The version that everything should have can be read.
pub async fn expected(context: &Context) -> Verdict {
    Version::parse(wanted(context)?).map(drop)
}

/// This program has that version.
pub async fn cli_is_current(context: &Context) -> Verdict {
    is_current(&context.options.cli_version, wanted(context)?)
}

/// The version of the control plane can be read.
pub async fn control_plane(context: &Context) -> Verdict {
    let config = context.config().await?;
    ensure(!config.text("/linkerdVersion").is_empty(), || {
        "the values in ConfigMap linkerd-config have no linkerdVersion; apply the manifests of the installation again"
            .to_owned()
    })
}

/// The control plane has the version that everything should have.
pub async fn control_plane_is_current(context: &Context) -> Verdict {
    is_current(context.config().await?.text("/linkerdVersion"), wanted(context)?)
}

/// The control plane and this program have the same version.
pub async fn match_each_other(context: &Context) -> Verdict {
    match_up(context.config().await?.text("/linkerdVersion"), &context.options.cli_version)
}

fn match_up(control_plane: &str, cli: &str) -> Verdict {
    ensure(control_plane == cli, || format!("control plane running {control_plane} but cli running {cli}"))
}

fn wanted(context: &Context) -> Result<&str, Finding> {
    context.options.expected_version.as_deref().ok_or(Finding::Skipped)
}

/// A version, such as `edge-26.8.1`, or `0.1.0` of no channel.
#[derive(Debug, PartialEq, Eq)]
struct Version<'a> {
    channel: Option<&'a str>,
    number: &'a str,
    /// Counts the corrections of a version, which are a channel of their own.
    hotpatch: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Result<Self, Finding> {
        let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let (channel, rest) = match text.split_once('-') {
            Some((channel, rest)) if !is_number(text) => (Some(channel), rest),
            _ => (None, text),
        };
        let mut parts = rest.split('-');
        let number = parts.next().unwrap_or_default();
        // Anything else that follows the number, such as the hash of a build, does not count.
        let hotpatch = parts.next().filter(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        match is_number(number) && channel != Some("") {
            true => Ok(Self { channel, number, hotpatch }),
            false => Err(Finding::Error(format!("unsupported version format: {text}"))),
        }
    }

    fn full(&self) -> String {
        let hotpatch = self.hotpatch.map(|hotpatch| format!("-{hotpatch}")).unwrap_or_default();
        format!("{}{hotpatch}", self.number)
    }
}

fn is_current(actual: &str, wanted: &str) -> Verdict {
    let (is, should) = (Version::parse(actual)?, Version::parse(wanted)?);
    let is_same_channel = is.channel == should.channel && is.hotpatch.is_some() == should.hotpatch.is_some();
    ensure(is_same_channel, || format!("unsupported version channel: {actual}"))?;
    let channel = should.channel.map(|channel| format!("{channel} ")).unwrap_or_default();
    ensure(is == should, || {
        format!("is running version {} but the latest {channel}version is {}", is.full(), should.full())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> Verdict {
        Err(Finding::error(text))
    }

    #[test]
    fn a_version_is_compared_with_the_one_that_is_expected_of_its_channel() {
        assert_eq!(is_current("0.1.0", "0.1.0"), Ok(()));
        assert_eq!(is_current("edge-26.8.1", "edge-26.8.1"), Ok(()));
        assert_eq!(is_current("edge-26.8.1-abcdef", "edge-26.8.1"), Ok(()));
        assert_eq!(is_current("0.1.0", "0.2.0"), error("is running version 0.1.0 but the latest version is 0.2.0"));
        let old = "is running version 26.7.3 but the latest edge version is 26.8.1";
        assert_eq!(is_current("edge-26.7.3", "edge-26.8.1"), error(old));
        assert_eq!(is_current("stable-2.1.0-1", "stable-2.1.0"), error("unsupported version channel: stable-2.1.0-1"));
        let old = "is running version 2.1.0-1 but the latest stable version is 2.1.0-2";
        assert_eq!(is_current("stable-2.1.0-1", "stable-2.1.0-2"), error(old));
        assert_eq!(is_current("dev-1", "edge-26.8.1"), error("unsupported version channel: dev-1"));
        assert_eq!(is_current("0.1.0", "edge-26.8.1"), error("unsupported version channel: 0.1.0"));
    }

    #[test]
    fn what_is_no_version_is_named() {
        for text in ["", "edge", "dev-undefined", "-1", "edge-"] {
            assert_eq!(Version::parse(text), Err(Finding::Error(format!("unsupported version format: {text}"))));
        }
    }

    #[test]
    fn control_plane_and_cli_match() {
        assert_eq!(match_up("0.1.0", "0.1.0"), Ok(()));
        assert_eq!(match_up("0.1.0", "0.2.0"), error("control plane running 0.1.0 but cli running 0.2.0"));
    }
}
