//! Every real engine of this machine, from its plan's words to an answered request and back to an empty machine.
//! Engines are found as the product finds them; `make test-engines` runs these tests. The model is the tiny one in the
//! folder `PODIUM_MODELS_DIR`.

use std::path::Path;
use std::time::Duration;

use podium_domain::framework::Framework;
use podium_domain::plan::Endpoint;
use podium_launcher::{Engine, EngineSpec, FailureClass, Host, LogLimits, inject};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

fn model(extension: &str) -> String {
    let folder = std::env::var_os("PODIUM_MODELS_DIR").expect("PODIUM_MODELS_DIR names the folder of the tiny model");
    let path = Path::new(&folder).join(format!("tiny-llama{extension}"));
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display())).display().to_string()
}

/// A command that serves the tiny model on a CPU.
fn candidate(framework: Framework) -> Option<String> {
    Some(match framework {
        Framework::LlamaCpp => format!("llama-server --model {} --parallel 2 --ctx-size 4096", model(".gguf")),
        Framework::Vllm => {
            format!("vllm serve {} --max-model-len 2048 --enforce-eager --dtype float32", model(""))
        }
        Framework::Sglang => format!(
            "python -m sglang.launch_server --model-path {} --device cpu --attention-backend torch_native \
             --context-length 2048 --max-total-tokens 8192 --dtype float32 --disable-overlap-schedule",
            model("")
        ),
        Framework::TensorrtLlm | Framework::Tokenspeed => return None,
    })
}

async fn start(host: &Host, framework: Framework, command: &str, folder: &Path) -> Engine {
    let facts = host.facts().await;
    let port = host.free_port().await.unwrap();
    let words: Vec<String> = command.split_ascii_whitespace().map(str::to_owned).collect();
    let command = inject(framework, &words, "tiny", port);
    let resolved = host.resolve_command(framework, &command.argv, &facts).await.unwrap();
    let spec = EngineSpec {
        launch_id: Uuid::new_v4(),
        argv: resolved.argv,
        env: resolved.env,
        port,
        served_model_name: command.served_model_name,
        endpoint: Endpoint::Completions,
        startup_timeout: Duration::from_secs(300),
        idle_priority: true,
        container: None,
        folder: folder.join(framework.id()),
        log_limits: LogLimits::default(),
    };
    host.start(spec).await.unwrap()
}

#[tokio::test]
#[ignore = "make test-engines runs it: it needs real engines"]
async fn every_engine_that_is_found_gets_ready_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::local(folder.path()).unwrap();
    let facts = host.facts().await;
    assert_eq!(facts.problems, Vec::<String>::new());
    assert!(!facts.frameworks.is_empty(), "no engine was found");
    for install in &facts.frameworks {
        let Some(command) = candidate(install.framework) else { continue };
        let engine = start(&host, install.framework, &command, folder.path()).await;
        let ready = match engine.wait_ready(&CancellationToken::new()).await {
            Ok(ready) => ready,
            Err(failure) => panic!("{}: {failure:#?}\n{}", install.framework, engine.log_tail(40).join("\n")),
        };
        println!("{}: {:?} (installed: {:?})", install.framework, ready, install.version);
        assert_eq!(ready.model, "tiny");
        assert!(ready.first_answer_tokens >= 1);
        let report = engine.stop().await;
        println!("{}: {report:?}", install.framework);
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(engine.failure(), None);
        let left = host.running_launches().await.unwrap();
        assert!(left.iter().all(|launch| launch.launch_id != engine.launch_id()), "{left:?}");
    }
}

#[tokio::test]
#[ignore = "make test-engines runs it: it needs real engines"]
async fn a_wrong_flag_and_a_missing_model_are_told_apart_on_every_engine() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::local(folder.path()).unwrap();
    for install in &host.facts().await.frameworks {
        let Some(command) = candidate(install.framework) else { continue };
        let missing = command.replace("tiny-llama", "no-such-model");
        let wrong_flag = format!("{command} --no-such-flag 3");
        for (command, class) in [(wrong_flag, FailureClass::UnknownFlag), (missing, FailureClass::MissingModel)] {
            let engine = start(&host, install.framework, &command, folder.path()).await;
            let failure = engine.wait_ready(&CancellationToken::new()).await.unwrap_err();
            println!("{}: {failure:?}", install.framework);
            assert_eq!(failure.class, class, "{failure:#?}");
            assert!(engine.stop().await.is_clean());
        }
    }
}
