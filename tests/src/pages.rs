//! Pages of causes as tests: the manifest is loaded, the request sent, the answer compared, the fix
//! tried.

use std::path::PathBuf;
use std::sync::Arc;

use cause::Severity;
use dataplane::PortProtocol;
use files::Outcome;
use jiff::Timestamp;

use crate::answer::shown;
use crate::client::{Manner, Message, call, call_h2};
use crate::described;
use crate::manifests::{Serving, applied, session};
use crate::page::{Block, Page};
use crate::stage::{Stage, USUAL_TIME, bytes};

/// The file that a page's manifests stand in, in the working directory: findings name it.
const FILE: &str = "manifests.yaml";

/// What became of a page.
pub struct Run {
    /// The page as it should be: with the answers that were given.
    pub text: String,
    /// What is wrong with the page or the gateway, whatever the page says.
    pub failures: Vec<String>,
}

/// Runs a page. Reads and writes `manifests.yaml` in the working directory.
#[must_use]
pub fn run(page: &Page) -> Run {
    let mut running = Running { page, changes: Vec::new(), failures: Vec::new() };
    if let Err(failure) = running.all() {
        running.failures.push(failure);
    }
    let failures = running.failures;
    Run { text: page.with(running.changes), failures }
}

struct Running<'a> {
    page: &'a Page,
    changes: Vec<(&'a Block, String)>,
    failures: Vec<String>,
}

/// The manifests of a page at a time.
struct Scene {
    stage: Stage,
    manifests: String,
}

impl<'a> Running<'a> {
    fn all(&mut self) -> Result<(), String> {
        let page = self.page;
        if described::reason(&page.code).is_some() {
            return self.described();
        }
        let written = page.block("Manifest", "yaml");
        let mut scene = Scene::new(written.and_then(|block| block.attribute("at")))?;
        let blocks: Vec<&Block> = page.blocks("Manifest", "yaml").collect();
        let before = blocks.iter().filter(|block| block.attribute("after").is_none());
        let before: Vec<&str> = before.map(|block| block.text.as_str()).collect();
        scene.manifests = scene.stage.expand(&before.join("\n"))?;
        let after = blocks.iter().find(|block| block.attribute("after").is_some());
        let after = after.map(|block| scene.stage.expand(&block.text)).transpose()?;
        let outcome = scene.load(page.block("Check", "text"), after.as_deref())?;
        self.check(&outcome);
        if let Some(request) = page.block("Request", "http") {
            self.request(&mut scene, &outcome, request)?;
        }
        self.fix(&mut scene)
    }

    /// A page of a cause that cannot be brought about.
    fn described(&mut self) -> Result<(), String> {
        if !self.page.has("When") || self.page.has("Request") {
            return Err("it is described, not run: it has `When` and no `Request`".to_owned());
        }
        let answer = self.page.block("Answer", "json").ok_or("a block ```json below `Answer` is missing")?;
        self.changes.push((answer, described::seen(&self.page.code).unwrap_or_default()));
        Ok(())
    }

    /// What `doorward check` says.
    fn check(&mut self, outcome: &Outcome) {
        if let Some(block) = self.page.block("Check", "text") {
            if !codes(outcome, Severity::Notice).contains(&self.page.code.as_str()) {
                self.failures.push(format!("the manifests have {:?}", codes(outcome, Severity::Notice)));
            }
            self.changes.push((block, told(outcome)));
        } else if !codes(outcome, Severity::Error).is_empty() {
            self.failures.push(format!("the manifests are wrong:\n{}", told(outcome)));
        }
    }

    fn request(&mut self, scene: &mut Scene, outcome: &Outcome, request: &Block) -> Result<(), String> {
        let answer = self.page.block("Answer", "http").ok_or("a block ```http below `Answer` is missing")?;
        let message = scene.send(outcome, request)?;
        let code = message.header("doorward-code").unwrap_or("no code");
        if code != self.page.code {
            self.failures.push(format!("the request was answered with {code}:\n{}", shown(&message)));
        }
        if message.header("doorward-decision").is_none() {
            self.failures.push("the answer has no Doorward-Decision".to_owned());
        }
        self.changes.push((answer, shown(&message)));
        Ok(())
    }

    /// The fix must take the cause away, and let the request through.
    fn fix(&mut self, scene: &mut Scene) -> Result<(), String> {
        let page = self.page;
        let changed = page.block("Fix", "yaml");
        let request = page.block("Fix", "http").or_else(|| page.block("Request", "http"));
        if changed.is_none() && page.block("Fix", "http").is_none() {
            return Err("a block ```yaml or ```http below `Fix` is missing".to_owned());
        }
        if let Some(at) = page.block("Fix", "http").and_then(|block| block.attribute("at")) {
            scene.stage.now = time(at)?;
        }
        if let Some(block) = changed {
            let text = scene.stage.expand(&block.text)?;
            let replaces = block.attribute("instead").is_some();
            scene.manifests = if replaces { text } else { applied(&scene.manifests, &text) };
        }
        let outcome = scene.load(None, None)?;
        let left = codes(&outcome, Severity::Notice);
        if left.contains(&page.code.as_str()) || !codes(&outcome, Severity::Error).is_empty() {
            self.failures.push(format!("the fix leaves {left:?}:\n{}", told(&outcome)));
        }
        if let Some(request) = request {
            let message = scene.send(&outcome, request)?;
            if !(200..400).contains(&message.status()) {
                self.failures.push(format!("the fix was answered with:\n{}", shown(&message)));
            }
        }
        Ok(())
    }
}

impl Scene {
    fn new(at: Option<&str>) -> Result<Self, String> {
        Ok(Self { stage: Stage::new(time(at.unwrap_or(USUAL_TIME))?), manifests: String::new() })
    }

    /// What the manifests come to; `after` is written over them once they are served.
    fn load(&self, check: Option<&Block>, after: Option<&str>) -> Result<Outcome, String> {
        let write = |text: &str| std::fs::write(FILE, format!("{text}\n")).map_err(|error| format!("{FILE}: {error}"));
        write(&self.manifests)?;
        let path = check.and_then(|block| block.attribute("path")).unwrap_or(FILE);
        let mut session = session(vec![PathBuf::from(path)], self.stage.now);
        let outcome = session.reload(self.stage.now);
        let Some(after) = after else { return Ok(outcome) };
        write(after)?;
        Ok(session.reload(self.stage.now))
    }

    /// Sends a request as often as it says, and tells the last answer.
    fn send(&mut self, outcome: &Outcome, request: &Block) -> Result<Message, String> {
        let serving = Serving::start(outcome, self.stage.now)?;
        let answer = self.send_to(&serving, request);
        serving.stop();
        answer
    }

    fn send_to(&mut self, serving: &Serving, request: &Block) -> Result<Message, String> {
        let text = self.stage.expand(&request.text)?;
        if request.attribute("h2").is_some() {
            return serving.block_on(call_h2(serving.address(PortProtocol::Http)?, &text));
        }
        let from = request.attribute("from").map(|text| text.parse().map_err(|_| format!("`{text}` is not an address")));
        let tls = request.attribute("tls").map(|name| (name.to_owned(), Arc::clone(&self.stage.roots())));
        let to = serving.address(if tls.is_some() { PortProtocol::Https } else { PortProtocol::Http })?;
        let manner = Manner { from: from.transpose()?, closes: request.attribute("then") == Some("close"), tls };
        let bytes = bytes(&text, request.attribute("raw").is_some());
        let times: usize =
            request.attribute("times").map_or(Ok(1), str::parse).map_err(|_| "`times` is not a number".to_owned())?;
        for _ in 1..times {
            call(to, &bytes, &manner)?;
        }
        call(to, &bytes, &manner)
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("`{text}` is not a time"))
}

/// The codes of the findings that are at least this bad.
fn codes(outcome: &Outcome, least: Severity) -> Vec<&'static str> {
    // Error is the first of the severities.
    let bad = outcome.report.findings().iter().filter(|finding| finding.fault.severity <= least);
    bad.map(|finding| finding.fault.code()).collect()
}

/// The findings as `doorward check` prints them.
fn told(outcome: &Outcome) -> String {
    outcome.report.to_text(manifest::Colour::Never).trim_end().to_owned()
}
