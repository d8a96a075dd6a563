//! Kinds of which only the metadata matters: namespaces, nodes and the owners of pods.

use crate::meta::Meta;
use serde::Deserialize;

macro_rules! metadata_only {
    ($(#[$doc:meta])* $name:ident, $group:literal, $version:literal, $plural:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        pub struct $name {
            /// Metadata, all that is decoded.
            #[serde(default)]
            pub metadata: Meta,
        }

        impl crate::meta::Resource for $name {
            const GROUP: &'static str = $group;
            const VERSION: &'static str = $version;
            const KIND: &'static str = stringify!($name);
            const PLURAL: &'static str = $plural;
            const METADATA_ONLY: bool = true;

            fn meta(&self) -> &Meta {
                &self.metadata
            }
        }
    };
}

metadata_only!(
    /// A namespace, for its annotations.
    Namespace, "", "v1", "namespaces"
);
metadata_only!(
    /// A node, for its zone label.
    Node, "", "v1", "nodes"
);
metadata_only!(
    /// The owner of a Deployment's pods.
    ReplicaSet, "apps", "v1", "replicasets"
);
metadata_only!(
    /// The owner of a CronJob's pods.
    Job, "batch", "v1", "jobs"
);

metadata_only!(
    /// A service account, whose name is an identity.
    ServiceAccount, "", "v1", "serviceaccounts"
);
