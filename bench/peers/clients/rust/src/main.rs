//! What a good engineer writes in an afternoon with reqwest and tokio: the same conversations as
//! moot's, an oracle's call and then a judge's, so many at once, on one thread. No limiter, journal,
//! retries, spans or resume.
//!
//!     conversations [--stream] [--ca FILE] URL AT_ONCE COUNT
//!
//! Prints {"conversations":N,"events":N}; any failure ends it with 1.
use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;

use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use reqwest::{Certificate, Client, Response};
use serde::{Deserialize, Serialize};

const QUESTION: &str = "Compose an engaging travel blog post about a recent trip to Hawaii, \
                        highlighting cultural experiences and must-see attractions.";
const ORACLE: &str = "You are a knowledgeable source of information that excels.";
const JUDGE: &str = "You are an evaluator of answers provided by others.";
const AGAIN: &str = "Can you make the answer better?";

type Failure = Box<dyn Error>;

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
struct Request<'a> {
    messages: &'a [Message<'a>],
    temperature: f64,
    max_tokens: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Deserialize, Default)]
struct Said {
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    message: Said,
    #[serde(default)]
    delta: Said,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

#[derive(Deserialize)]
struct Reply {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

struct Asker {
    http: Client,
    url: String,
    stream: bool,
    events: Cell<u64>,
}

impl Asker {
    async fn whole(&self, got: Response) -> Result<String, Failure> {
        let reply: Reply = got.json().await?;
        reply.usage.ok_or("no usage")?;
        let choice = reply.choices.into_iter().next().ok_or("no choice")?;
        Ok(choice.message.content.unwrap_or_default())
    }

    async fn streamed(&self, got: Response) -> Result<String, Failure> {
        let mut events = got.bytes_stream().eventsource();
        let (mut text, mut ended) = (String::new(), false);
        while let Some(event) = events.next().await {
            let event = event?;
            if event.data == "[DONE]" {
                ended = true;
                continue;
            }
            let reply: Reply = serde_json::from_str(&event.data)?;
            self.events.set(self.events.get() + 1);
            if let Some(piece) = reply.choices.into_iter().next().and_then(|c| c.delta.content) {
                text.push_str(&piece);
            }
        }
        if !ended {
            return Err("the stream was cut".into());
        }
        Ok(text)
    }

    async fn call(&self, endpoint: &str, asked: &Request<'_>) -> Result<String, Failure> {
        let got = self
            .http
            .post(format!("{}/serving-endpoints/{endpoint}/invocations", self.url))
            .bearer_auth("a-key-of-no-value")
            .json(asked)
            .send()
            .await?
            .error_for_status()?;
        if self.stream {
            self.streamed(got).await
        } else {
            self.whole(got).await
        }
    }

    async fn converse(&self) -> Result<(), Failure> {
        let asked = |role, content| Message { role, content };
        let first = [asked("system", ORACLE), asked("user", QUESTION)];
        let stream = self.stream;
        let answer = self
            .call("oracle", &Request { messages: &first, temperature: 0.9, max_tokens: 5000, stream })
            .await?;
        let second = [
            asked("system", JUDGE),
            asked("user", QUESTION),
            asked("assistant", &answer),
            asked("user", AGAIN),
        ];
        self.call("judge", &Request { messages: &second, temperature: 0.5, max_tokens: 2000, stream })
            .await?;
        Ok(())
    }
}

async fn run() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [.., url, at_once, count] = &words[..] else {
        return Err("URL AT_ONCE COUNT".into());
    };
    let (at_once, count): (usize, u64) = (at_once.parse()?, count.parse()?);
    let mut builder = Client::builder().pool_max_idle_per_host(at_once).tcp_nodelay(true);
    if let Some(at) = words.iter().position(|word| word == "--ca") {
        let pem = std::fs::read(words.get(at + 1).ok_or("--ca FILE")?)?;
        builder = builder
            .tls_built_in_root_certs(false)
            .add_root_certificate(Certificate::from_pem(&pem)?);
    }
    let asker = Rc::new(Asker {
        http: builder.build()?,
        url: url.clone(),
        stream: words.iter().any(|word| word == "--stream"),
        events: Cell::new(0),
    });
    let begun = Rc::new(Cell::new(0));
    let local = tokio::task::LocalSet::new();
    for _ in 0..at_once {
        let (asker, begun) = (asker.clone(), begun.clone());
        local.spawn_local(async move {
            while begun.get() < count {
                begun.set(begun.get() + 1);
                if let Err(failure) = asker.converse().await {
                    eprintln!("{failure:?}");
                    std::process::exit(1);
                }
            }
        });
    }
    local.await;
    println!("{{\"conversations\":{count},\"events\":{}}}", asker.events.get());
    Ok(())
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Err(failure) = runtime.block_on(run()) {
        eprintln!("{failure:?}");
        std::process::exit(1);
    }
}
