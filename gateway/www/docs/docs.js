// One page for the API of all services; each service describes itself, this page only lists them.
/* global SwaggerUIBundle, SwaggerUIStandalonePreset */

const services = ["signing", "device", "sim", "monitoring"];

window.ui = SwaggerUIBundle({
  dom_id: "#swagger-ui",
  urls: services.map((name) => ({ name, url: `/api/v1/${name}/openapi.json` })),
  "urls.primaryName": new URLSearchParams(location.search).get("urls.primaryName") ?? services[0],
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: "StandaloneLayout",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: false,
  validatorUrl: null,
});
