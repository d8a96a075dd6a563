//! Values that cannot work, found before anything is installed.
//!
//! The templates refuse what Helm must refuse too. Here the values and the rendered objects go through the
//! very code that will read them: the injector's, and each component's command line.

use super::{
    documents::Document,
    values::{at, text_at},
};
use anyhow::{anyhow, bail, ensure};
use linkerd_controller::args::parse;
use linkerd_injector::{
    core::{validate::check, values::Values},
    manifest::overrides::is_log_filter,
};
use linkerd_k8s::quantity::parse_thousandths;
use serde_json::Value;
use std::ffi::OsString;

/// Checks the final values.
///
/// # Errors
/// Every mistake that is found.
pub fn values(values: &Value) -> anyhow::Result<()> {
    let mut mistakes = Vec::new();
    match Values::from_tree(values.clone()) {
        Ok(read) => mistakes.extend(check(&read).err().into_iter().flat_map(|error| error.0)),
        Err(error) => mistakes.push(error.to_string()),
    }
    let version = text_at(values, "linkerdVersion");
    let is_part_of_version = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    if version.is_empty() || !version.chars().all(is_part_of_version) {
        mistakes.push(format!("linkerdVersion: {version:?} is no version"));
    }
    for place in ["controllerLogLevel", "policyController.logLevel", "proxy.logLevel"] {
        let level = text_at(values, place);
        let is_level = is_log_filter(&level) || (place != "proxy.logLevel" && ["panic", "fatal"].contains(&&*level));
        if !is_level {
            mistakes.push(format!("{place}: {level:?} is no level or filter, such as info or warn,linkerd=debug"));
        }
    }
    for place in [
        "identityResources",
        "destinationResources",
        "policyController.resources",
        "proxyInjectorResources",
        "spValidatorResources",
        "proxy.resources",
    ] {
        resources(at(values, place), place, &mut mistakes);
    }
    match mistakes.is_empty() {
        true => Ok(()),
        false => bail!("{}", mistakes.join("\n")),
    }
}

/// Checks that quantities can be read, and that no request is above its limit.
fn resources(resources: &Value, place: &str, mistakes: &mut Vec<String>) {
    for kind in ["cpu", "memory", "ephemeral-storage"] {
        let mut read = |bound: &str| {
            let text = text_at(resources, &format!("{kind}.{bound}"));
            let quantity = parse_thousandths(&text).map_err(|error| format!("{place}.{kind}.{bound}: {error}"));
            if text.is_empty() {
                return None;
            }
            quantity.map_err(|mistake| mistakes.push(mistake)).ok()
        };
        if let (Some(request), Some(limit)) = (read("request"), read("limit"))
            && request > limit
        {
            mistakes.push(format!("{place}.{kind}: the request is above the limit"));
        }
    }
}

/// Checks that each component will take the flags that it is given.
///
/// # Errors
/// The first component that would not, and why.
pub fn flags(documents: &[Document]) -> anyhow::Result<()> {
    for deployment in documents.iter().filter(|document| document.kind() == "Deployment") {
        let container = &deployment.object["spec"]["template"]["spec"]["containers"][0];
        let component = container["name"].as_str().unwrap_or_default();
        let flags = container["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let line: Vec<OsString> = std::iter::once(component).chain(flags).map(OsString::from).collect();
        taken(component, line).map_err(|error| anyhow!("Deployment {}: {error:#}", deployment.name()))?;
    }
    Ok(())
}

fn taken(component: &str, line: Vec<OsString>) -> anyhow::Result<()> {
    match component {
        "identity" => drop(parse::<linkerd_identity::args::Args>(line, component)?.settings()?),
        "destination" => drop(parse::<linkerd_destination::args::Args>(line, component)?.config()?),
        "policy" => drop(parse::<linkerd_policy::Args>(line, component)?),
        "proxy-injector" => drop(parse::<linkerd_injector::args::Args>(line, component)?),
        "sp-validator" => drop(parse::<linkerd_sp_validator::args::Args>(line, component)?),
        other => ensure!(other.is_empty(), "there is no component {other}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::charts::CONTROL_PLANE;
    use serde_json::json;

    fn mistakes(place: &str, value: impl Into<Value>) -> String {
        let mut values: Value = serde_saphyr::from_str(CONTROL_PLANE.values).unwrap();
        crate::install::values::put(&mut values, place, value);
        super::values(&values).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_defaults_of_the_chart_are_those_of_the_injector_but_for_released_images() {
        let mut chart = Values::from_tree(serde_saphyr::from_str(CONTROL_PLANE.values).unwrap()).unwrap();
        let released = std::mem::take(&mut chart.proxy.image.version);
        assert_eq!(std::mem::take(&mut chart.debug_container.image.version), released);
        assert!(released.starts_with("edge-"), "{released}");
        assert_eq!(chart, Values::default());
    }

    // Acceptance case 29 of installation.
    #[test]
    fn log_levels_are_levels_or_filters() {
        for good in ["off", "info", "linkerd=debug", "warn,linkerd=info"] {
            assert_eq!(mistakes("proxy.logLevel", good), "", "{good}");
        }
        for bad in ["bad%name", "linkerd=foobar", ""] {
            assert!(mistakes("proxy.logLevel", bad).contains("proxy.logLevel"), "{bad}");
        }
        assert_eq!(mistakes("controllerLogLevel", "panic"), "");
    }

    #[test]
    fn values_of_the_wrong_type_or_form_are_named() {
        let cases = [
            ("proxy.ports.admin", json!({}), "expected an integer"),
            ("linkerdVersion", json!("a b"), "linkerdVersion"),
            ("destinationResources.cpu.limit", json!("much"), "destinationResources.cpu.limit"),
            ("proxy.resources", json!({"memory": {"request": "2Gi", "limit": "1Gi"}}), "above the limit"),
            ("clusterNetworks", json!("wrong"), "clusterNetworks"),
            ("identityTrustDomain", json!("_"), "identityTrustDomain"),
            ("proxy.defaultInboundPolicy", json!("everybody"), "proxy.defaultInboundPolicy"),
            ("proxy.image.pullPolicy", json!("Sometimes"), "pullPolicy"),
        ];
        for (place, value, reason) in cases {
            let mistakes = mistakes(place, value);
            assert!(mistakes.contains(reason), "{place}: {mistakes}");
        }
    }

    #[test]
    fn a_flag_that_a_component_does_not_take_is_refused() {
        let deployment = |flag: &str| {
            let container = json!({ "name": "destination", "args": ["--addr=:8086", flag] });
            let spec = json!({ "template": { "spec": { "containers": [container] } } });
            Document::of(json!({ "kind": "Deployment", "metadata": { "name": "linkerd-destination" }, "spec": spec }))
        };
        assert!(flags(&[deployment("--enable-ipv6=false")]).is_ok());
        let refused = format!("{:#}", flags(&[deployment("--colour=blue")]).unwrap_err());
        assert!(refused.contains("linkerd-destination") && refused.contains("--colour"), "{refused}");
    }
}
