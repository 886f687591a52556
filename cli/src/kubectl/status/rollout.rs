//! How far a Deployment is with what it was last told.

use serde_json::Value;

use super::super::objects::{list, number, text};

/// The pods of a Deployment, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rollout {
    pub(super) wanted: i64,
    pub(super) ready: i64,
    /// Of the newest version.
    newest: i64,
    /// Of any version.
    all: i64,
    /// Whether its controller has seen the newest version.
    is_seen: bool,
    /// Why it does not go on, where its controller has given up.
    stuck: Option<String>,
    /// When something last changed.
    pub(super) since: String,
}

impl Rollout {
    pub(super) fn of(deployment: &Value) -> Self {
        let progress = list(deployment, "/status/conditions").iter().find(|condition| text(condition, "/type") == "Progressing");
        let stuck = progress.filter(|progress| text(progress, "/status") == "False");
        Self {
            // What is not written is one, as the API server has it.
            wanted: deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1),
            ready: number(deployment, "/status/readyReplicas"),
            newest: number(deployment, "/status/updatedReplicas"),
            all: number(deployment, "/status/replicas"),
            is_seen: number(deployment, "/status/observedGeneration") >= number(deployment, "/metadata/generation"),
            stuck: stuck.map(|stuck| text(stuck, "/reason").to_owned()),
            since: progress.map(|progress| text(progress, "/lastUpdateTime").to_owned()).unwrap_or_default(),
        }
    }

    /// Whether as many pods as are wanted are ready, all of the newest version.
    pub(super) const fn is_done(&self) -> bool {
        self.is_seen && self.stuck.is_none() && self.newest >= self.wanted && self.all <= self.newest && self.ready >= self.wanted
    }

    /// One word for what is wrong.
    pub(super) fn reason(&self) -> &str {
        match &self.stuck {
            Some(reason) => reason,
            None if self.newest < self.wanted || self.all > self.newest || !self.is_seen => "RollingOut",
            None => "NotReady",
        }
    }

    /// What is wrong.
    pub(super) fn message(&self) -> String {
        let Self { wanted, ready, newest, all, .. } = self;
        let mut text = format!("{ready} of {wanted} replicas are ready");
        let older = all - newest;
        if older > 0 {
            text.push_str(&format!(", and {older} of an earlier version still run{}", if older == 1 { "s" } else { "" }));
        } else if newest < wanted {
            text.push_str(&format!(", and {newest} of the newest version are there"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rollout_is_done_once_its_own_pods_are_ready() {
        let check = |[wanted, ready, newest, all]: [i64; 4], progressing: &str, expected: Option<(&str, &str)>| {
            let rollout = Rollout::of(&json!({
                "metadata": {"generation": 3}, "spec": {"replicas": wanted},
                "status": {
                    "observedGeneration": 3, "readyReplicas": ready, "updatedReplicas": newest, "replicas": all,
                    "conditions": [{"type": "Progressing", "status": progressing, "reason": "ProgressDeadlineExceeded"}],
                },
            }));
            let message = rollout.message();
            let found = (!rollout.is_done()).then_some((rollout.reason(), message.as_str()));
            assert_eq!(found, expected, "{wanted} {ready} {newest} {all} {progressing}");
        };
        check([2, 2, 2, 2], "True", None);
        check([0, 0, 0, 0], "True", None);
        check([2, 1, 2, 2], "True", Some(("NotReady", "1 of 2 replicas are ready")));
        // The pod of the newest version does not come up, and the earlier one serves on.
        let older = "1 of 1 replicas are ready, and 1 of an earlier version still runs";
        check([1, 1, 1, 2], "True", Some(("RollingOut", older)));
        check([1, 1, 1, 2], "False", Some(("ProgressDeadlineExceeded", older)));
        let few = "2 of 3 replicas are ready, and 2 of the newest version are there";
        check([3, 2, 2, 2], "True", Some(("RollingOut", few)));
        let unseen =
            Rollout::of(&json!({"metadata": {"generation": 3}, "spec": {"replicas": 0}, "status": {"observedGeneration": 2}}));
        assert!(!unseen.is_done());
        assert_eq!(Rollout::of(&json!({})).wanted, 1);
    }
}
