//! The calls and the closed loop that makes them: `wrk` on one thread.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::process::on_core;

/// Connections that call at once, each as soon as its last call is answered.
pub(crate) const CONNECTIONS: usize = 32;

/// The host of all calls.
pub(crate) const HOST: &str = "bench.test";

/// One call: a GET with at most one field beside `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) field: Option<(&'static str, String)>,
}

/// What `wrk` has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) replies: u64,
    pub(crate) microseconds: u64,
    /// Connections that failed and calls that were not answered.
    pub(crate) lost: u64,
    /// Replies with a status of 400 or more.
    pub(crate) refused: u64,
}

/// Calls in turn, prepared for `wrk`.
pub(crate) struct Loop {
    script: PathBuf,
    calls: PathBuf,
    core: usize,
}

/// Reads the calls, one a line, formats them before the first is made, and prints the totals at the end. A single call
/// defines no `request`: `wrk` then sends the same bytes without asking Lua.
const SCRIPT: &str = r#"
local calls, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local path, name, value = line:match("^(%S+) ?(%S*) ?(.*)$")
    local fields = { ["Host"] = args[2] }
    if name ~= "" then fields[name] = value end
    calls[#calls + 1] = { path, fields }
  end
  if #calls == 1 then
    wrk.path, wrk.headers = calls[1][1], calls[1][2]
    return
  end
  for index, call in ipairs(calls) do calls[index] = wrk.format("GET", call[1], call[2]) end
  function request()
    at = at % #calls + 1
    return calls[at]
  end
end

function done(summary)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("totals %d %d %d %d\n", summary.requests, summary.duration, lost, errors.status))
end
"#;

impl Loop {
    /// Writes the script and the calls to `folder`.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn prepare(folder: &Path, name: &str, calls: &[Call], core: usize) -> Result<Self, Failure> {
        let mut text = String::new();
        for Call { path, field } in calls {
            let field = field.as_ref().map(|(name, value)| format!(" {name} {value}")).unwrap_or_default();
            writeln!(text, "{path}{field}").map_err(Failure::of("the calls"))?;
        }
        let prepared = Self { script: folder.join("loop.lua"), calls: folder.join(format!("{name}.calls")), core };
        std::fs::write(&prepared.script, SCRIPT).map_err(Failure::of(prepared.script.display()))?;
        std::fs::write(&prepared.calls, text).map_err(Failure::of(prepared.calls.display()))?;
        Ok(prepared)
    }

    /// Calls for some seconds.
    ///
    /// # Errors
    /// `wrk` failed or printed no totals.
    pub(crate) fn run(&self, address: SocketAddr, seconds: u32) -> Result<Totals, Failure> {
        let mut command = on_core(self.core, Path::new("wrk"));
        command
            .args(["--threads", "1", "--connections", &CONNECTIONS.to_string()])
            .args(["--duration", &format!("{seconds}s")])
            .arg("--script")
            .arg(&self.script)
            .arg(format!("http://{address}/"))
            .arg("--")
            .arg(&self.calls)
            .arg(HOST);
        let output = command.output().map_err(Failure::of("wrk cannot be started (apt-get install wrk)"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines()
            .find_map(totals_of)
            .ok_or_else(|| Failure::new(format!("wrk failed:\n{text}{}", String::from_utf8_lossy(&output.stderr))))
    }
}

fn totals_of(line: &str) -> Option<Totals> {
    let numbers: Vec<u64> = line.strip_prefix("totals ")?.split(' ').map_while(|word| word.parse().ok()).collect();
    match numbers[..] {
        [replies, microseconds, lost, refused] => Some(Totals { replies, microseconds, lost, refused }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_from_their_line() {
        let check = |line, expected| assert_eq!(totals_of(line), expected, "{line}");
        check("totals 9 8 7 6", Some(Totals { replies: 9, microseconds: 8, lost: 7, refused: 6 }));
        check("totals 9 8 7", None);
        check("totals 9 8 7 -1", None);
        check("  9 requests in 1.10s, 2.52MB read", None);
    }

    #[test]
    fn calls_are_written_one_a_line() {
        let folder = std::env::temp_dir().join(format!("doorward-bench-calls-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let calls = [
            Call { path: "/a".to_owned(), field: None },
            Call { path: "/b".to_owned(), field: Some(("X-Api-Key", "k".to_owned())) },
        ];
        let prepared = Loop::prepare(&folder, "some", &calls, 1).unwrap();
        assert_eq!(std::fs::read_to_string(&prepared.calls).unwrap(), "/a\n/b X-Api-Key k\n");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
