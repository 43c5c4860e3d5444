{{- define "coinlake.labels" -}}
app.kubernetes.io/part-of: coinlake
{{- end }}

{{/* On every object. */}}
{{- define "coinlake.objectLabels" -}}
{{ include "coinlake.labels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "coinlake.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* "yes" for a lake on a path, nothing for one in an object store. */}}
{{- define "coinlake.onVolume" -}}
{{ if not (contains "://" .Values.lake.url) }}yes{{ end }}
{{- end }}

{{- define "coinlake.scraped" -}}
prometheus.io/scrape: "true"
prometheus.io/port: "9464"
prometheus.io/path: /metrics
{{- end }}

{{/* The part of a pod that is always the same; (dict "root" $ "account" NAME "seconds" N "group" whether it has volumes "token" whether
it uses the Kubernetes API). */}}
{{- define "coinlake.pod" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
{{- with .seconds }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- if not .root.Values.network.openshift }}
  runAsUser: 65532
  runAsGroup: 65532
  {{- if .group }}
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  {{- end }}
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "coinlake.container" -}}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- define "coinlake.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: metrics }
  periodSeconds: 10
  timeoutSeconds: 5
{{- end }}

{{- define "coinlake.profileMount" -}}
- { name: fluvio-profile, mountPath: /etc/fluvio, readOnly: true }
{{- end }}

{{- define "coinlake.profileVolume" -}}
- name: fluvio-profile
  secret: { secretName: {{ .Values.fluvio.existingSecret | default "fluvio-profile" }} }
{{- end }}

{{- define "coinlake.mlflowEnvironment" -}}
- configMapRef: { name: mlflow }
- secretRef: { name: mlflow, optional: true }
{{- end }}

{{- define "coinlake.partitions" -}}
- name: PARTITIONS
  valueFrom:
    configMapKeyRef: { name: topics, key: partitions }
{{- end }}

{{- define "coinlake.lakeUrl" -}}
- name: LAKE
  valueFrom:
    configMapKeyRef: { name: lake, key: url }
{{- end }}

{{- define "coinlake.proxy" -}}
{{- if .Values.network.proxy.url }}
- { name: HTTPS_PROXY, valueFrom: { configMapKeyRef: { name: proxy, key: HTTPS_PROXY } } }
- { name: NO_PROXY, valueFrom: { configMapKeyRef: { name: proxy, key: NO_PROXY } } }
{{- end }}
{{- end }}

{{/* An initial container that runs `coinlake deploy`. */}}
{{- define "coinlake.deploy" -}}
image: {{ include "coinlake.image" . }}
{{ include "coinlake.container" . }}
resources:
  requests: { cpu: 10m, memory: 32Mi }
  limits: { cpu: "1", memory: 128Mi }
volumeMounts:
  {{- include "coinlake.profileMount" . | nindent 2 }}
{{- end }}

{{/* The store's settings and credentials; (dict "root" $ "secret" NAME). */}}
{{- define "coinlake.store" -}}
{{- if not (include "coinlake.onVolume" .root) }}
- configMapRef: { name: store }
- secretRef: { name: {{ .secret }}, optional: true }
{{- end }}
{{- end }}

{{- define "coinlake.lakeMount" -}}
{{- if include "coinlake.onVolume" .root }}
- name: lake
  mountPath: /var/lib/coinlake
  {{- if .readOnly }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end }}

{{/* Its claim is never read-only, only its mount: the first pod that mounts a local volume gives it to the group, unless its claim is. */}}
{{- define "coinlake.lakeVolume" -}}
{{- if include "coinlake.onVolume" .root }}
- name: lake
  persistentVolumeClaim:
    claimName: lake
{{- end }}
{{- end }}

{{/* All pods that need the volume run on its node. */}}
{{- define "coinlake.besideTheLake" -}}
{{- if include "coinlake.onVolume" . }}
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchExpressions:
            - { key: coinlake.io/lake, operator: Exists }
{{- end }}
{{- end }}

{{- define "coinlake.azure" -}}
{{- if and (not (include "coinlake.onVolume" .)) (has "azure" .Values.network.store) }}
azure.workload.identity/use: "true"
{{- end }}
{{- end }}

{{/* One pod of a workload at a time; (dict "root" $ "name" NAME "labels" the labels it selects). With
"together" all at once: where they share a volume, the successor of one waits for the others on its node, and they for it. */}}
{{- define "coinlake.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  labels:
    {{- include "coinlake.objectLabels" .root | nindent 4 }}
    {{- with omit .labels "app.kubernetes.io/name" }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  maxUnavailable: {{ if .together }}100%{{ else }}1{{ end }}
  unhealthyPodEvictionPolicy: AlwaysAllow # a pod that is not ready must not hold up a drain
  selector:
    matchLabels:
      {{- toYaml .labels | nindent 6 }}
{{- end }}

{{/* The internet, or the proxy in its place. */}}
{{- define "coinlake.internet" -}}
{{- with .Values.network.proxy }}
{{- if .url }}
- to:
    - ipBlock: { cidr: {{ required "network.proxy.cidr: the proxy's address, such as 10.0.0.5/32" .cidr }} }
  ports:
    - { port: {{ .port }}, protocol: TCP }
{{- else }}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    - ipBlock:
        cidr: 2000::/3 # global addresses only
  ports:
    - { port: 443, protocol: TCP }
{{- end }}
{{- end }}
{{- end }}
