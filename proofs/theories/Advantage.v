(** * S5: group-relative advantages (GRPO, leave-one-out). *)
From Coq Require Import Reals List Lra Lia Arith.
From HDPO Require Import FinSum.
Import ListNotations.
Open Scope R_scope.

Definition total (r : list R) : R := sum r (fun x => x).
Definition size (r : list R) : R := INR (length r).
Definition mean (r : list R) : R := total r / size r.
Definition centred (r : list R) (x : R) : R := x - mean r.
Definition var_pop (r : list R) : R := sum r (fun x => (x - mean r) ^ 2) / size r.
Definition var_smp (r : list R) : R := sum r (fun x => (x - mean r) ^ 2) / (size r - 1).
(** The coded advantage: (x - mean) / (sd + eps). *)
Definition advantage_population (eps : R) (r : list R) (x : R) : R := centred r x / (sqrt (var_pop r) + eps).
Definition advantage_sample (eps : R) (r : list R) (x : R) : R := centred r x / (sqrt (var_smp r) + eps).
(** Leave-one-out: reward minus the mean of the OTHER rewards. *)
Definition leave_one_out (r : list R) (x : R) : R := x - (total r - x) / (size r - 1).

Lemma size_pos r : r <> [] -> 0 < size r.
Proof. destruct r as [|a r]; [tauto|]. intros _. apply lt_0_INR. simpl. lia. Qed.

Lemma total_const r c : (forall x, In x r -> x = c) -> total r = size r * c.
Proof.
  intros H. unfold total, size. rewrite <- sum_const. now apply sum_ext.
Qed.

(** S5 (zero variance): equal rewards give zero centred advantages ... *)
Theorem S5_zero_variance r :
  (forall x y, In x r -> In y r -> x = y) -> forall x, In x r -> centred r x = 0.
Proof.
  intros H x Hx. assert (Hne : r <> []) by (intros ->; destruct Hx).
  pose proof (size_pos r Hne). unfold centred, mean.
  rewrite (total_const r x) by (intros; now apply H). field. lra.
Qed.

(** ... and conversely. *)
Theorem S5_zero_variance_conv r :
  (forall x, In x r -> centred r x = 0) -> forall x y, In x r -> In y r -> x = y.
Proof.
  intros H x y Hx Hy. pose proof (H x Hx). pose proof (H y Hy). unfold centred in *. lra.
Qed.

(** Normalised (any eps) and leave-one-out advantages vanish too. *)
Corollary S5_zero_advantage r eps :
  (forall x y, In x r -> In y r -> x = y) ->
  forall x, In x r -> advantage_population eps r x = 0 /\ advantage_sample eps r x = 0.
Proof.
  intros H x Hx. unfold advantage_population, advantage_sample. rewrite (S5_zero_variance r H x Hx).
  unfold Rdiv. split; ring.
Qed.

(** The policy-gradient term of a zero-variance group is zero, whatever the
    score functions [g] (one real coordinate; apply coordinatewise). *)
Definition pg_term (A : list R -> R -> R) (r : list R) (rg : list (R * R)) : R :=
  sum rg (fun xg => A r (fst xg) * snd xg).

Theorem S5_zero_gradient r eps rg :
  (forall x y, In x r -> In y r -> x = y) ->
  (forall xg, In xg rg -> In (fst xg) r) ->
  pg_term centred r rg = 0 /\ pg_term (advantage_population eps) r rg = 0 /\ pg_term (advantage_sample eps) r rg = 0.
Proof.
  intros H Hin. unfold pg_term.
  repeat split; apply sum_zero; intros xg Hxg; specialize (Hin xg Hxg).
  - rewrite S5_zero_variance by auto. ring.
  - destruct (S5_zero_advantage r eps H (fst xg) Hin) as [E _]. rewrite E. ring.
  - destruct (S5_zero_advantage r eps H (fst xg) Hin) as [_ E]. rewrite E. ring.
Qed.

(** S5 (leave-one-out) : RLOO = G/(G-1) * centred. *)
Theorem S5_leave_one_out r x :
  (2 <= length r)%nat -> leave_one_out r x = size r / (size r - 1) * centred r x.
Proof.
  intros HG. assert (2 <= size r) by (unfold size; apply (le_INR 2) in HG; simpl in HG; lra).
  unfold leave_one_out, centred, mean. field. lra.
Qed.

(** Centred advantages sum to zero. *)
Theorem S5_sum_zero r : r <> [] -> sum r (centred r) = 0.
Proof.
  intros Hne. pose proof (size_pos r Hne). unfold centred.
  rewrite sum_minus, sum_const. fold (total r) (size r). unfold mean. field. lra.
Qed.

(** ** Binary rewards: c ones and G - c zeros. *)
Definition binary (r : list R) : Prop := forall x, In x r -> x = 0 \/ x = 1.

Lemma binary_total_nonneg r : binary r -> 0 <= total r <= size r.
Proof.
  intros Hb. unfold total. split.
  - apply sum_nonneg. intros x Hx. destruct (Hb x Hx); lra.
  - unfold size. rewrite <- (Rmult_1_r (INR _)), <- sum_const. apply sum_le.
    intros x Hx. destruct (Hb x Hx); lra.
Qed.

(** sum of squares = c (G - c) / G. *)
Lemma binary_sumsq r :
  r <> [] -> binary r ->
  sum r (fun x => (x - mean r) ^ 2) = total r * (size r - total r) / size r.
Proof.
  intros Hne Hb. pose proof (size_pos r Hne).
  rewrite (sum_ext r _ (fun x => x * (1 - 2 * mean r) + mean r ^ 2)).
  - rewrite sum_plus, sum_scal_r, sum_const. fold (total r) (size r). unfold mean. field. lra.
  - intros x Hx. destruct (Hb x Hx) as [-> | ->]; ring.
Qed.

Theorem S5_var_pop r :
  r <> [] -> binary r -> var_pop r = total r * (size r - total r) / (size r) ^ 2.
Proof.
  intros Hne Hb. unfold var_pop. rewrite binary_sumsq by assumption.
  pose proof (size_pos r Hne). field. lra.
Qed.

Theorem S5_var_smp r :
  (2 <= length r)%nat -> binary r ->
  var_smp r = total r * (size r - total r) / (size r * (size r - 1)).
Proof.
  intros HG Hb. assert (Hne : r <> []) by (intros ->; simpl in HG; lia).
  assert (2 <= size r) by (unfold size; apply (le_INR 2) in HG; simpl in HG; lra).
  unfold var_smp. rewrite binary_sumsq by assumption. field. lra.
Qed.

(** Exact coded advantage for any eps. *)
Theorem S5_advantage_eps r eps x :
  r <> [] -> binary r ->
  advantage_population eps r x
  = (x - total r / size r) / (sqrt (total r * (size r - total r)) / size r + eps).
Proof.
  intros Hne Hb. pose proof (size_pos r Hne). pose proof (binary_total_nonneg r Hb).
  unfold advantage_population, centred, mean. rewrite S5_var_pop by assumption.
  rewrite sqrt_div by (try apply Rmult_le_pos; try apply pow_lt; lra).
  rewrite sqrt_pow2 by lra. reflexivity.
Qed.

(** eps = 0, 0 < c < G: success sqrt((G-c)/c), failure - sqrt(c/(G-c)). *)
Theorem S5_advantage_binary r :
  binary r -> 0 < total r < size r ->
  advantage_population 0 r 1 = sqrt ((size r - total r) / total r) /\
  advantage_population 0 r 0 = - sqrt (total r / (size r - total r)).
Proof.
  intros Hb [Hc Hf]. assert (Hne : r <> []) by (intros ->; unfold total in Hc; simpl in Hc; lra).
  pose proof (size_pos r Hne) as HG.
  rewrite !S5_advantage_eps by assumption.
  set (c := total r) in *. set (G := size r) in *.
  assert (Pc : 0 < sqrt c) by (apply sqrt_lt_R0; lra).
  assert (Pf : 0 < sqrt (G - c)) by (apply sqrt_lt_R0; lra).
  rewrite sqrt_mult, !sqrt_div by lra.
  assert (Ec : sqrt c * sqrt c = c) by (apply sqrt_def; lra).
  assert (Ef : sqrt (G - c) * sqrt (G - c) = G - c) by (apply sqrt_def; lra).
  set (a := sqrt c) in *. set (b := sqrt (G - c)) in *.
  assert (Hab : 0 < a * b) by (apply Rmult_lt_0_compat; assumption).
  assert (HabG : a * b / G <> 0) by (apply Rgt_not_eq, Rdiv_lt_0_compat; lra).
  split.
  - replace (1 - c / G) with ((b * b) / G) by (rewrite Ef; field; lra). field. lra.
  - replace (0 - c / G) with (- (a * a) / G) by (rewrite Ec; field; lra). field. lra.
Qed.

(** Sample sd (ddof = 1, the torch default): an extra factor sqrt((G-1)/G). *)
Theorem S5_advantage_sample_vs_population r x :
  binary r -> 0 < total r < size r -> (2 <= length r)%nat ->
  advantage_sample 0 r x = sqrt ((size r - 1) / size r) * advantage_population 0 r x.
Proof.
  intros Hb [Hc Hf] HG2. assert (Hne : r <> []) by (intros ->; simpl in HG2; lia).
  assert (H2 : 2 <= size r) by (unfold size; apply (le_INR 2) in HG2; simpl in HG2; lra).
  unfold advantage_sample, advantage_population. rewrite S5_var_smp, S5_var_pop by assumption.
  set (c := total r) in *. set (G := size r) in *.
  assert (P1 : 0 < c * (G - c)) by (apply Rmult_lt_0_compat; lra).
  rewrite !Rplus_0_r.
  replace (c * (G - c) / G ^ 2) with ((c * (G - c) / (G * (G - 1))) * ((G - 1) / G)) by (field; lra).
  assert (P2 : 0 < c * (G - c) / (G * (G - 1))).
  { apply Rdiv_lt_0_compat; [assumption|apply Rmult_lt_0_compat; lra]. }
  assert (P3 : 0 < (G - 1) / G) by (apply Rdiv_lt_0_compat; lra).
  rewrite sqrt_mult by lra.
  assert (Q1 : 0 < sqrt (c * (G - c) / (G * (G - 1)))) by now apply sqrt_lt_R0.
  assert (Q2 : 0 < sqrt ((G - 1) / G)) by now apply sqrt_lt_R0.
  field. lra.
Qed.

(** Cliff group: all failures.  Every advantage of the group is zero. *)
Corollary S5_cliff r eps x :
  (forall y, In y r -> y = 0) -> In x r ->
  centred r x = 0 /\ advantage_population eps r x = 0 /\ advantage_sample eps r x = 0.
Proof.
  intros H Hx. assert (E : forall x y, In x r -> In y r -> x = y)
    by (intros a b Ha Hb; rewrite (H a Ha), (H b Hb); reflexivity).
  split; [now apply S5_zero_variance|]. now apply S5_zero_advantage.
Qed.

(** Binary rewards: the cliff test "sum = 0" is exactly "all rewards are 0". *)
Theorem S5_cliff_test r : binary r -> (total r = 0 <-> forall x, In x r -> x = 0).
Proof.
  intros Hb. split.
  - intros E. apply (sum_nonneg_zero r (fun x => x)); [|exact E].
    intros x Hx. destruct (Hb x Hx); lra.
  - intros H. unfold total. now apply sum_zero.
Qed.
