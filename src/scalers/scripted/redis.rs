//! A Redis server by script.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

/// It answers each command by its words, as the protocol has it on the wire.
pub(crate) struct Redis {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Redis {
    /// An empty answer closes the connection.
    pub(crate) async fn start(script: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (seen, script) = (Arc::new(Mutex::new(Vec::new())), Arc::new(script));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (kept, script) = (Arc::clone(&kept), Arc::clone(&script));
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some(words) = command(&mut stream).await {
                        let text = words.join(" ");
                        let answer = if text.starts_with("CLIENT") { "+OK\r\n".to_owned() } else { script(&text) };
                        kept.lock().unwrap().push(text);
                        if answer.is_empty() || stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, seen }
    }

    /// The commands so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// The words of one command; `None` at the end of the connection.
async fn command(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut word = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
    }
    Some(words)
}

/// The number of a line such as `*3` or `$5`.
async fn number(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().get(1..)?.parse().ok()
}
