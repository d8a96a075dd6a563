//! Whether the cluster answers, and is new enough.

use crate::check::{
    context::Context,
    verdict::{Finding, Verdict, ensure, only_if},
};
use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// The oldest version that is supported.
const OLDEST: [u64; 3] = [1, 31, 0];
/// Routes of the Gateway API, each with the version that is read.
const ROUTES: [(&str, &str); 2] =
    [("httproutes.gateway.networking.k8s.io", "v1"), ("grpcroutes.gateway.networking.k8s.io", "v1")];

/// A kubeconfig is there and can be used.
pub async fn client(context: &Context) -> Verdict {
    context.connect().await
}

/// The server answers.
pub async fn answers(context: &Context) -> Verdict {
    context.reads()?.version().await.map(drop)
}

/// The server is new enough.
pub async fn version(context: &Context) -> Verdict {
    is_new_enough(&context.reads()?.version().await?.git_version)
}

fn is_new_enough(version: &str) -> Verdict {
    let numbers = version.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
    let mut parts = numbers.split('.').map(str::parse::<u64>);
    let mut next = || parts.next().unwrap_or(Ok(0)).ok();
    let (Some(major), Some(minor), Some(patch)) = (next(), next(), next()) else {
        return ensure(false, || format!("the version of Kubernetes cannot be read: {version:?}"));
    };
    ensure([major, minor, patch] >= OLDEST, || {
        let [major, minor, patch] = OLDEST;
        format!(
            "Kubernetes is on version [{numbers}], but version [{major}.{minor}.{patch}] or more recent is required"
        )
    })
}

/// The Gateway API, where it is installed, has the versions that are read. Nothing needs it: policy looks
/// for its kinds as long as they are not there. So it is no failure either when the user may not see it.
pub async fn gateway(context: &Context) -> Verdict {
    let reads = context.reads()?;
    let found = try_join_all(ROUTES.map(|(name, _)| reads.global::<CustomResourceDefinition>(name))).await;
    let found = found.map_err(|finding| match finding {
        Finding::Error(reason) => Finding::Warning(reason),
        other => other,
    })?;
    let served: Vec<Option<Vec<String>>> =
        found.iter().map(|found| Option::as_ref(found).map(served_versions)).collect();
    has_versions(&served)
}

/// The versions of a definition in which its objects can be read.
pub fn served_versions(definition: &CustomResourceDefinition) -> Vec<String> {
    definition.spec.versions.iter().filter(|version| version.served).map(|version| version.name.clone()).collect()
}

fn has_versions(served: &[Option<Vec<String>>]) -> Verdict {
    only_if(served.iter().any(Option::is_some))?;
    let lacking = ROUTES.iter().zip(served).filter_map(|((name, version), served)| {
        let served = served.as_ref()?;
        (!served.iter().any(|served| served == version)).then(|| format!("{name} {version}"))
    });
    let lacking: Vec<String> = lacking.collect();
    ensure(lacking.is_empty(), || {
        format!("the Gateway API is too old: it lacks {}; install Gateway API v1.1.1 or later", lacking.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Acceptance case 41 of installation.
    #[test]
    fn the_server_is_at_least_the_oldest_supported_one() {
        for good in ["v1.31.0", "v1.31.0-gke.1", "1.35.4+k3s1", "v2.0.0"] {
            assert_eq!(is_new_enough(good), Ok(()), "{good}");
        }
        let old = "Kubernetes is on version [1.30.9], but version [1.31.0] or more recent is required";
        assert_eq!(is_new_enough("v1.30.9"), Err(Finding::error(old)));
        assert!(matches!(is_new_enough("unknown"), Err(Finding::Error(text)) if text.contains("unknown")));
    }

    #[test]
    fn the_gateway_api_is_no_must_but_must_not_be_too_old() {
        let serves = |versions: &[&str]| Some(versions.iter().map(|version| (*version).to_owned()).collect());
        assert_eq!(has_versions(&[None, None]), Err(Finding::Skipped));
        assert_eq!(has_versions(&[serves(&["v1beta1", "v1"]), None]), Ok(()));
        let old = has_versions(&[serves(&["v1"]), serves(&["v1alpha2"])]);
        assert!(matches!(old, Err(Finding::Error(text)) if text.contains("grpcroutes.gateway.networking.k8s.io v1;")));
    }
}
