use super::*;
use crate::arguments::{Arguments, Command};
use clap::Parser as _;

fn validated_line(line: &str) -> Result<(Mode, Form), String> {
    let words = ["linkerd", "check"].into_iter().chain(line.split_whitespace());
    let Some(Command::Check(args)) = Arguments::try_parse_from(words).unwrap().command else {
        panic!("another command")
    };
    validated(&args).map_err(|error| error.to_string())
}

#[test]
fn options_choose_what_is_checked() {
    let mode = |line| validated_line(line).map(|(mode, _)| mode);
    assert_eq!(mode(""), Ok(Mode::ControlPlane));
    assert_eq!(mode("--proxy -n app"), Ok(Mode::DataPlane));
    assert_eq!(mode("--crds --proxy"), Ok(Mode::Crds));
    assert_eq!(mode("--pre"), Ok(Mode::Pre { cni: false }));
    assert_eq!(mode("--pre --linkerd-cni-enabled"), Ok(Mode::Pre { cni: true }));
    assert_eq!(mode("--pre=false --proxy=true"), Ok(Mode::DataPlane));
}

// Acceptance case 42 of the command line.
#[test]
fn options_that_contradict_each_other_are_refused() {
    let refused = |line: &str, reason: &str| assert_eq!(validated_line(line), Err(reason.to_owned()), "{line}");
    refused("--pre --proxy", "--pre and --proxy flags are mutually exclusive");
    refused("--pre --crds", "--pre and --crds flags are mutually exclusive");
    refused("--linkerd-cni-enabled", "--linkerd-cni-enabled can only be used with --pre");
    refused("-o yaml", "Invalid output type 'yaml'. Supported output types are: json, table, short");
}

#[test]
fn a_wait_is_a_duration() {
    assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
    assert_eq!(duration("0"), Ok(Duration::ZERO));
    for bad in ["-1s", "soon", "5"] {
        assert!(duration(bad).is_err(), "{bad}");
    }
}
