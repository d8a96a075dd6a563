//! The charts, as they were when this program was built.

/// A Helm chart.
#[derive(Clone, Copy, Debug)]
pub struct Chart {
    /// Its name.
    pub name: &'static str,
    /// `Chart.yaml`.
    pub metadata: &'static str,
    /// `values.yaml`.
    pub values: &'static str,
    /// The templates, in the order in which objects are printed. Those that end in `.tpl` only define
    /// named templates.
    pub templates: &'static [Template],
}

/// A file of a chart.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Path below `templates/`.
    pub path: &'static str,
    /// What is in it.
    pub text: &'static str,
}

macro_rules! file {
    ($chart:literal, $path:literal) => {
        include_str!(concat!("../../../charts/", $chart, "/", $path))
    };
}

macro_rules! chart {
    ($chart:literal, [$($path:literal,)*]) => {
        Chart {
            name: $chart,
            metadata: file!($chart, "Chart.yaml"),
            values: file!($chart, "values.yaml"),
            templates: &[$(Template {
                path: $path,
                text: include_str!(concat!("../../../charts/", $chart, "/templates/", $path)),
            },)*],
        }
    };
}

/// Custom resource definitions.
pub const CRDS: Chart = chart!(
    "linkerd-crds",
    [
        "_metadata.tpl",
        "policy/authorizationpolicies.yaml",
        "policy/egressnetworks.yaml",
        "policy/httplocalratelimitpolicies.yaml",
        "policy/httproutes.yaml",
        "policy/meshtlsauthentications.yaml",
        "policy/networkauthentications.yaml",
        "policy/serverauthorizations.yaml",
        "policy/servers.yaml",
        "serviceprofiles.yaml",
        "workload/externalworkloads.yaml",
    ]
);

/// Everything else.
pub const CONTROL_PLANE: Chart = chart!(
    "linkerd-control-plane",
    [
        "_checks.tpl",
        "_ignored.tpl",
        "_labels.tpl",
        "_pod.tpl",
        "_podmonitor.tpl",
        "_volumes.tpl",
        "_webhook.tpl",
        "namespace.yaml",
        "identity-rbac.yaml",
        "destination-rbac.yaml",
        "policy-rbac.yaml",
        "sp-validator-rbac.yaml",
        "podmonitor.yaml",
        "proxy-injector-rbac.yaml",
        "webhooks.yaml",
        "config.yaml",
        "identity.yaml",
        "destination.yaml",
        "policy.yaml",
        "sp-validator.yaml",
        "proxy-injector.yaml",
    ]
);

/// Values of `linkerd-control-plane` for high availability.
pub const HA_VALUES: &str = file!("linkerd-control-plane", "values-ha.yaml");

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, path::Path};

    /// Paths of the files below `folder`, relative to `root`.
    fn files(root: &Path, folder: &Path) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(files(root, &path));
            } else {
                found.insert(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
        found
    }

    #[test]
    fn every_template_of_the_charts_is_in_the_program() {
        for chart in [CRDS, CONTROL_PLANE] {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts").join(chart.name).join("templates");
            let mut there = files(&root, &root);
            there.remove("NOTES.txt");
            let embedded: BTreeSet<String> = chart.templates.iter().map(|file| file.path.to_owned()).collect();
            assert_eq!(embedded, there, "{}", chart.name);
        }
    }

    #[test]
    fn the_charts_have_the_version_of_the_program() {
        let version = env!("CARGO_PKG_VERSION");
        for chart in [CRDS, CONTROL_PLANE] {
            for line in [format!("\nversion: {version}\n"), format!("\nappVersion: {version}\n")] {
                assert!(chart.metadata.contains(&line), "{}: {line}", chart.name);
            }
        }
        assert!(CONTROL_PLANE.values.contains(&format!("\nlinkerdVersion: {version}\n")));
    }
}
