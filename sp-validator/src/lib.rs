//! Admission of ServiceProfiles.
