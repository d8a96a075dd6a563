//! Which tools there are, in which version, and where each can come from.
//!
//! The only place that names versions.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::debian::Packages;
use super::go_module::GoModule;
use crate::run;

const KUBERNETES: &str = "v1.35.4";
const KUBERNETES_MAJOR: &str = "1";
const KUBERNETES_MINOR: &str = "35";
/// The release archives of envtest follow Kubernetes' minor versions only.
const ENVTEST: &str = "1.35.0";
const ETCD: &str = "v3.6.6";
const HELM: &str = "v3.22.0";
const CARGO_DENY: &str = "0.20.2";
const KIND_VERSION: &str = "v0.32.0";
/// Of the DNS server of a node, and its image.
pub const COREDNS: &str = "v1.12.4";

/// A program that the tests or checks run.
pub struct Tool {
    /// The name of the executable.
    pub name: &'static str,
    pub version: &'static str,
    /// Whether a folder of Kubernetes test assets (`KUBEBUILDER_ASSETS`) holds it.
    pub in_assets: bool,
    /// Where it can come from, cheapest first.
    pub sources: &'static [Source],
}

pub enum Source {
    /// Installed on this machine already.
    Path { accepts: fn(&Path) -> Result<()> },
    /// The archive of servers that controller tests use.
    Envtest,
    /// A Debian package, unpacked and not installed, so that no service starts.
    Debian { package: &'static str, file: &'static str },
    /// Built from source by the Go toolchain.
    Go(GoModule),
    /// Built from source by cargo; the crate has the tool's name.
    Crate { features: &'static [&'static str] },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { .. } => f.write_str("PATH"),
            Self::Envtest => f.write_str("the envtest release archive"),
            Self::Debian { package, .. } => write!(f, "Debian's package {package}"),
            Self::Go(module) => write!(f, "Go module {}", module.module),
            Self::Crate { .. } => f.write_str("its crate"),
        }
    }
}

/// What `cargo xtask test` needs.
pub const FOR_TESTS: &[Tool] = &[
    Tool {
        name: "etcd",
        version: ETCD,
        in_assets: true,
        sources: &[
            Source::Envtest,
            Source::Path { accepts: super::starts },
            Source::Debian { package: "etcd-server", file: "usr/bin/etcd" },
            Source::Go(GoModule {
                module: "go.etcd.io/etcd/server/v3",
                package: "go.etcd.io/etcd/server/v3",
                version: ETCD,
                variables: &[],
                about: "about half a minute",
            }),
        ],
    },
    Tool {
        name: "kube-apiserver",
        version: KUBERNETES,
        in_assets: true,
        sources: &[Source::Envtest, kubernetes("k8s.io/kubernetes/cmd/kube-apiserver", "about 4 minutes on two cores")],
    },
    Tool {
        name: "helm",
        version: HELM,
        in_assets: false,
        sources: &[
            Source::Path { accepts: is_helm_3 },
            Source::Go(GoModule {
                module: "helm.sh/helm/v3",
                package: "helm.sh/helm/v3/cmd/helm",
                version: HELM,
                // Without them it takes charts to be for Kubernetes 1.20, which ours refuse.
                variables: &[
                    ("helm.sh/helm/v3/internal/version.version", HELM),
                    ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor", KUBERNETES_MAJOR),
                    ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor", KUBERNETES_MINOR),
                ],
                about: "about 1 minute",
            }),
        ],
    },
];

/// What `cargo xtask cluster` runs besides etcd and kube-apiserver, where there is no docker engine.
pub const FOR_CLUSTER: &[Tool] = &[
    component(
        "kube-controller-manager",
        &[kubernetes("k8s.io/kubernetes/cmd/kube-controller-manager", "about 1 minute")],
    ),
    component("kube-scheduler", &[kubernetes("k8s.io/kubernetes/cmd/kube-scheduler", "a few seconds")]),
    component("kubelet", &[kubernetes("k8s.io/kubernetes/cmd/kubelet", "about 20 seconds")]),
    component("kube-proxy", &[kubernetes("k8s.io/kubernetes/cmd/kube-proxy", "about 10 seconds")]),
    Tool {
        name: "coredns",
        version: COREDNS,
        in_assets: false,
        sources: &[Source::Go(GoModule {
            module: "github.com/coredns/coredns",
            package: "github.com/coredns/coredns",
            version: COREDNS,
            variables: &[],
            about: "about 2 minutes",
        })],
    },
];

/// A program of a Kubernetes node.
const fn component(name: &'static str, sources: &'static [Source]) -> Tool {
    Tool { name, version: KUBERNETES, in_assets: false, sources }
}

/// A program of the Kubernetes release, built from source.
const fn kubernetes(package: &'static str, about: &'static str) -> Source {
    Source::Go(GoModule {
        module: "k8s.io/kubernetes",
        package,
        version: KUBERNETES,
        // Without them it calls itself v0.0.0, which clients refuse.
        variables: &[
            ("k8s.io/component-base/version.gitVersion", KUBERNETES),
            ("k8s.io/component-base/version.gitMajor", KUBERNETES_MAJOR),
            ("k8s.io/component-base/version.gitMinor", KUBERNETES_MINOR),
        ],
        about,
    })
}

/// Of the server's version: the machine's own may be too far away from it.
pub const KUBECTL: &Tool = &component("kubectl", &[kubernetes("k8s.io/kubernetes/cmd/kubectl", "about 40 seconds")]);

/// Kubernetes in containers of a docker engine.
pub const KIND: &Tool = &Tool {
    name: "kind",
    version: KIND_VERSION,
    in_assets: false,
    sources: &[
        Source::Path { accepts: super::starts },
        Source::Go(GoModule {
            module: "sigs.k8s.io/kind",
            package: "sigs.k8s.io/kind",
            version: KIND_VERSION,
            variables: &[],
            about: "about half a minute",
        }),
    ],
};

/// What runs containers on a node.
pub const NODE_PACKAGES: &Packages =
    &Packages { name: "node", packages: &["containerd", "runc", "containernetworking-plugins"] };

/// The static `sleep` of the data-plane image, and the shell of test pods.
pub const BUSYBOX_PACKAGES: &Packages = &Packages { name: "busybox", packages: &["busybox-static"] };

/// The iptables of the data-plane image, with the libraries that are not part of every system.
pub const IPTABLES_PACKAGES: &Packages = &Packages {
    name: "iptables",
    packages: &[
        "iptables",
        "libip4tc2",
        "libip6tc2",
        "libmnl0",
        "libnetfilter-conntrack3",
        "libnfnetlink0",
        "libnftnl11",
        "libxtables12",
    ],
};

/// What `cargo xtask ci` needs besides.
pub const FOR_CHECKS: &[Tool] =
    &[Tool { name: "cargo-deny", version: CARGO_DENY, in_assets: false, sources: &[Source::Crate { features: &[] }] }];

/// The archive for this machine; a machine that has none goes on to the next source.
pub fn envtest_archive() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    format!(
        "https://github.com/kubernetes-sigs/controller-tools/releases/download/\
         envtest-v{ENVTEST}/envtest-v{ENVTEST}-{system}-{architecture}.tar.gz"
    )
}

fn is_helm_3(program: &Path) -> Result<()> {
    let version = run::output(Command::new(program).args(["version", "--short"]))?;
    ensure!(version.starts_with("v3."), "{} is {version}, and the charts are tested with version 3", program.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_have_distinct_names() {
        let mut names: Vec<_> = crate::tools::known().map(|tool| tool.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn everything_is_of_one_kubernetes_version() {
        let minor = format!("{KUBERNETES_MAJOR}.{KUBERNETES_MINOR}.");
        assert!(KUBERNETES.trim_start_matches('v').starts_with(&minor), "{KUBERNETES}");
        assert!(ENVTEST.starts_with(&minor), "{ENVTEST}");
    }
}
