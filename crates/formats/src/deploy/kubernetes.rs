//! A Kubernetes Deployment and its Service.

use super::container::{CACHE, env, image, needs_locked_memory, remarks, secrets_remark};
use super::yaml::{list, text};
use super::{Deployment, comment};

/// Kubernetes replaces `$(NAME)`; two dollars stand for one.
fn escaped(value: &str) -> String {
    value.replace('$', "$$")
}

/// Both objects in one file.
pub(super) fn write(deployment: &Deployment) -> String {
    let (name, port) = (deployment.name(), deployment.port());
    let mut out: String = remarks(deployment)
        .iter()
        .filter(|remark| !remark.starts_with("Secrets"))
        .map(|remark| comment(remark))
        .collect();
    let secrets = secrets_remark(deployment, &format!("come from the Secret {name}, one key each."));
    out.extend(secrets.map(|remark| comment(&remark)));
    out += &comment("A server that listened on its own machine alone listens on every address of its pod.");
    out += &format!("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 1\n");
    // A second server would need the GPUs of the first one.
    out += "  strategy:\n    type: Recreate\n";
    out += &format!("  selector:\n    matchLabels:\n      app: {name}\n");
    out += &format!("  template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n      containers:\n");
    out += &format!("        - name: server\n          image: {}\n", text(image(deployment)));
    let words: Vec<String> = deployment.argv_for_pod().iter().map(|word| escaped(word)).collect();
    if let Some((program, arguments)) = words.split_first() {
        out += &format!("          command:\n{}", list([program.as_str()], 12));
        out += &format!("          args:\n{}", list(arguments.iter().map(String::as_str), 12));
    }
    let variables = env(deployment);
    if !variables.is_empty() || !deployment.secrets().is_empty() {
        out += "          env:\n";
    }
    for secret in deployment.secrets() {
        out += &format!("            - name: {secret}\n              valueFrom:\n                secretKeyRef:\n");
        out += &format!(
            "                  name: {name}\n                  key: {secret}\n                  optional: true\n"
        );
    }
    for (variable, value) in variables {
        out += &format!("            - name: {variable}\n              value: {}\n", text(&escaped(&value)));
    }
    out += &format!("          ports:\n            - name: http\n              containerPort: {port}\n");
    out += "          readinessProbe:\n            httpGet:\n              path: /health\n              port: http\n";
    out += "            periodSeconds: 10\n";
    if let Some(count) = deployment.gpu_count().filter(|count| *count > 0) {
        out += &format!("          resources:\n            limits:\n              nvidia.com/gpu: {count}\n");
    }
    volumes(deployment, &mut out);
    out += &format!(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector:\n    app: {name}\n"
    );
    out + &format!("  ports:\n    - name: http\n      port: {port}\n      targetPort: http\n")
}

fn volumes(deployment: &Deployment, out: &mut String) {
    let memory = needs_locked_memory(deployment) || deployment.gpu_count().is_some_and(|count| count > 1);
    let model = deployment.local_model().map(text);
    *out += "          volumeMounts:\n            - name: model\n";
    *out += &match &model {
        Some(path) => format!("              mountPath: {path}\n              readOnly: true\n"),
        None => format!("              mountPath: {CACHE}\n"),
    };
    if memory {
        *out += "            - name: shm\n              mountPath: /dev/shm\n";
    }
    *out += "      volumes:\n        - name: model\n";
    *out += &match &model {
        Some(path) => format!("          hostPath:\n            path: {path}\n"),
        None => "          emptyDir: {}\n".to_owned(),
    };
    if memory {
        *out += "        - name: shm\n          emptyDir:\n            medium: Memory\n            sizeLimit: 16Gi\n";
    }
}
