//! Whose calls a month's count is of.

use std::hash::Hasher as _;

use secrecy::{ExposeSecret as _, SecretString};
use siphasher::sip::SipHasher;

use super::plan::KeyPlan;

/// A mark of plan and key, for a file that anybody may read: too short to find or to try a key by.
pub(crate) fn owner(key: Option<&(KeyPlan, SecretString)>) -> String {
    let Some((plan, key)) = key else {
        return "none".to_owned();
    };
    let mut hasher = SipHasher::new();
    hasher.write(format!("{plan} {}", key.expose_secret()).as_bytes());
    format!("{:08x}", hasher.finish() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_of_each_plan_has_its_own_mark() {
        let key = |plan, key: &str| owner(Some(&(plan, SecretString::from(key.to_owned()))));
        let marks = [
            owner(None),
            key(KeyPlan::Demo, "CG-one"),
            key(KeyPlan::Demo, "CG-two"),
            key(KeyPlan::Pro, "CG-one"),
        ];
        for (at, mark) in marks.iter().enumerate() {
            assert!(!marks[..at].contains(mark), "{marks:?}");
        }
        assert_eq!(marks[1], key(KeyPlan::Demo, "CG-one"));
        assert!(marks.iter().all(|mark| mark.len() <= 8), "{marks:?}");
    }
}
