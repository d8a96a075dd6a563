//! Parts that several kinds share.

use super::schema::Schema;

/// A DNS subdomain, or nothing, which is the core API group.
const GROUP: &str = r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const KIND: &str = r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";
/// A DNS label.
pub(super) const LABEL: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// Group of a referenced kind.
pub(super) fn group() -> Schema {
    Schema::string().max_length(253).pattern(GROUP).about("API group; empty for the core group")
}

/// Kind of a referenced object.
pub(super) fn kind() -> Schema {
    Schema::string().min_length(1).max_length(63).pattern(KIND).about("Kind of the object")
}

/// Name of a referenced object.
pub(super) fn name() -> Schema {
    Schema::string().min_length(1).max_length(253).about("Name of the object")
}

/// Namespace of a referenced object.
pub(super) fn namespace() -> Schema {
    Schema::string().max_length(253).about("Namespace of the object; by default that of this one")
}

/// Selects objects by their labels.
pub(super) fn selector() -> Schema {
    let operator = Schema::string().one_of(["In", "NotIn", "Exists", "DoesNotExist"]);
    let expression = Schema::object([
        ("key", Schema::string().about("Key of the label")),
        ("operator", operator.about("How the label's value relates to the values")),
        ("values", Schema::list(Schema::string()).about("Values, for In and NotIn")),
    ]);
    Schema::object([
        ("matchLabels", Schema::text_map().about("Labels with the value that they must have")),
        (
            "matchExpressions",
            Schema::list(expression.required(["key", "operator"])).about("Further conditions, all of which must hold"),
        ),
    ])
}

/// A network and its exceptions.
pub(super) fn network() -> Schema {
    Schema::object([
        ("cidr", Schema::string().about("Network in CIDR notation, or one address")),
        ("except", Schema::list(Schema::string()).about("Parts of the network that are left out")),
    ])
    .required(["cidr"])
}

/// Conditions of a status.
pub(super) fn conditions() -> Schema {
    let reason = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$";
    let condition = Schema::object([
        ("type", Schema::string().max_length(316).about("What the condition is about")),
        ("status", Schema::string().one_of(["True", "False", "Unknown"]).about("Whether it holds")),
        ("reason", Schema::string().min_length(1).max_length(1024).pattern(reason).about("Why, in one word")),
        ("message", Schema::string().max_length(32768).about("Why, for people")),
        ("lastTransitionTime", Schema::timestamp().about("When the status changed last")),
        (
            "observedGeneration",
            Schema::int64().range(0, i64::MAX).about("Generation of the object that the condition is about"),
        ),
    ]);
    Schema::list(condition.required(["type", "status", "reason", "message", "lastTransitionTime"]))
}
