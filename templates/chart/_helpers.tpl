{{- define "keda.image" -}}
{{- required "image.sluice names no image: push one by `sluice image push` and set it" .Values.image.sluice -}}
{{- end -}}

{{- define "keda.labels" -}}
{{- $labels := dict
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/managed-by" (.Values.customManagedBy | default .Release.Service)
  "app.kubernetes.io/part-of" "keda-operator"
  "app.kubernetes.io/version" .Chart.AppVersion
  "helm.sh/chart" (printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_"))
-}}
{{- toYaml (mustMergeOverwrite $labels .Values.additionalLabels) -}}
{{- end -}}

{{- define "keda.serviceAccountAnnotations" -}}
{{- $annotations := deepCopy .Values.additionalAnnotations -}}
{{- with .Values.podIdentity.aws.irsa -}}
{{- if .enabled -}}
{{- $role := required "podIdentity.aws.irsa.roleArn names no role" .roleArn -}}
{{- $annotations = mustMergeOverwrite $annotations (dict
  "eks.amazonaws.com/role-arn" $role
  "eks.amazonaws.com/audience" .audience
  "eks.amazonaws.com/sts-regional-endpoints" (toString .stsRegionalEndpoints)
  "eks.amazonaws.com/token-expiration" (printf "%d" (int .tokenExpiration))
) -}}
{{- end -}}
{{- end -}}
{{- toYaml (mustMergeOverwrite $annotations .Values.serviceAccount.operator.annotations) -}}
{{- end -}}

{{- /* Values of KEDA's chart that were given and have no effect, one a line. */ -}}
{{- define "keda.ignored" -}}
{{- $names := list
  "asciiArt" "certificates" "clusterDomain" "clusterName" "global.image" "grpcTLSCertsSecret" "hashiCorpVaultTLS" "http"
  "image.keda" "image.metricsApiServer" "image.webhooks" "networkPolicy" "operator.disableCompression" "operator.hostUsers"
  "operator.leaderElectionID" "operator.name" "opentelemetry" "podAnnotations.metricsAdapter" "podAnnotations.webhooks"
  "podDisruptionBudget.metricServer" "podDisruptionBudget.webhooks" "podIdentity.azureWorkload" "podIdentity.gcp"
  "podLabels.metricsAdapter" "podLabels.webhooks" "podSecurityContext.metricServer" "podSecurityContext.webhooks" "profiling"
  "prometheus.metricServer" "prometheus.webhooks" "resources.metricServer" "resources.webhooks" "securityContext.metricServer"
  "securityContext.webhooks" "service.minTlsVersion" "service.portHttpsTarget" "service.tlsCipherList" "serviceAccount.metricServer"
  "serviceAccount.webhooks" "topologySpreadConstraints.metricsServer" "topologySpreadConstraints.webhooks" "upgradeStrategy.metricsApiServer"
  "upgradeStrategy.webhooks" "extraArgs.metricsAdapter" "logging.metricServer" "logging.webhooks" "logging.operator.format"
  "logging.operator.timeEncoding" "logging.operator.stackTracesEnabled" "metricsServer.replicaCount" "metricsServer.affinity"
  "metricsServer.useHostNetwork" "metricsServer.nodeSelector" "metricsServer.tolerations" "permissions.metricServer"
  "permissions.operator.restrict.serviceAccountTokenCreationRoles" "permissions.operator.restrict.allowAllServiceAccountTokenCreation"
  "volumes.metricsApiServer" "volumes.webhooks" "watchLabelSelector" "watchLabelSelectorForTriggerauth" "webhooks.affinity"
  "webhooks.healthProbePort" "webhooks.name" "webhooks.nodeSelector" "webhooks.port" "webhooks.replicaCount" "webhooks.tolerations"
  "webhooks.useHostNetwork"
-}}
{{- $values := .Values -}}
{{- range $name := $names -}}
{{- $at := $values -}}
{{- $is := true -}}
{{- range splitList "." $name -}}
{{- if and $is (kindIs "map" $at) (hasKey $at .) -}}{{- $at = index $at . -}}{{- else -}}{{- $is = false -}}{{- end -}}
{{- end -}}
{{- if $is }}{{ $name }}
{{ end -}}
{{- end -}}
{{- end -}}
